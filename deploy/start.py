"""Where the `shilu` command begins: who stops it while it is still starting sees no traceback."""


def main() -> None:
    """Run the command; Ctrl-C at any moment is exit code 130."""
    try:
        # Here, because it takes a good part of a second.
        from deploy.cli import main as run

        run()
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
