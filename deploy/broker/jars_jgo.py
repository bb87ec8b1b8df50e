"""The jars of a POM by jgo, the Maven resolver in pure Python: for machines without Maven.

jgo works out which files are needed and where they are. Its own download opens a new TLS
connection for every file and every checksum, which takes minutes on a far network; here the
connections are kept, and the jars come several at once.
"""

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from tempfile import NamedTemporaryFile
from xml.etree.ElementTree import ParseError

import requests
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import POM, Artifact, MavenContext, PythonResolver
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

_REQUEST_SECONDS = 60
_AT_ONCE = 8
_CHUNK_BYTES = 1 << 16
_PASSING_FAULTS = (429, 500, 502, 503, 504)


class NotFetched(Exception):
    """Why the jars are not there, in one line."""


def fetch_with_jgo(
    pom_file: Path, jars: Path, repository: Path, there: Callable[[int], None]
) -> None:
    """Put the jars of the POM into the folder `jars`, telling how many are there after each.

    `repository` is a Maven repository that only this function uses: whole files that an earlier,
    interrupted call left there are not asked for again. Raises NotFetched.
    """
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        with _session() as session:
            context = MavenContext(
                resolver=_KeptConnections(session),
                # Never ~/.m2: its files belong to Maven.
                repo_cache=repository,
                remote_repos={"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories},
                timeout=_REQUEST_SECONDS,
            )
            _, nodes = context.pom_dependency_list(POM(pom_file))
            downloads = [pool.submit(node.dep.artifact.resolve) for node in nodes]
            for count, download in enumerate(as_completed(downloads), start=1):
                jar = download.result()
                # A copy: should this be interrupted, the next call finds it where jgo looks.
                shutil.copyfile(jar, jars / jar.name)
                there(count)
    # jgo says RuntimeError when no repository has a file; errors of the network are OSErrors.
    except (OSError, RuntimeError) as error:
        raise NotFetched(str(error).partition("\n")[0]) from error
    except ParseError as error:
        # A page of a proxy in place of a POM: it would be read again and again.
        shutil.rmtree(repository)
        raise NotFetched(f"what the repository sends is no POM: {error}") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _session() -> requests.Session:
    session = requests.Session()
    retry = Retry(total=3, backoff_factor=0.5, status_forcelist=_PASSING_FAULTS)
    session.mount("https://", HTTPAdapter(pool_maxsize=_AT_ONCE, max_retries=retry))
    return session


class _KeptConnections(PythonResolver):
    """jgo's resolver over one session; a file appears under its name only when it is complete."""

    def __init__(self, session: requests.Session) -> None:
        super().__init__()
        self._session = session

    def download(self, artifact: Artifact) -> Path:
        """Fetch from the first repository that has it; RuntimeError if none has."""
        target = artifact.cached_path
        assert target is not None
        for repository in artifact.context.remote_repos.values():
            address = f"{repository}/{artifact.component.path_prefix.as_posix()}"
            with self._session.get(
                f"{address}/{artifact.filename}", stream=True, timeout=artifact.context.timeout
            ) as response:
                if response.status_code == requests.codes.ok:
                    return _whole(response, target)
        raise RuntimeError(f"no repository has {artifact}")


def _whole(response: requests.Response, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    # A crash may leave this one behind; it has a name that nobody asks for.
    with NamedTemporaryFile(dir=target.parent, delete=False) as half:
        for chunk in response.iter_content(_CHUNK_BYTES):
            half.write(chunk)
    os.replace(half.name, target)
    return target
