"""All services of one machine together: started and stopped, judged from outside, and put aside
where they hold more than the log does.

May import `deploy.host`, `deploy.broker`, `deploy.services`, `deploy.trail` and `deploy.seal`.
"""
