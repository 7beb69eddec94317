"""The only lines that talk to Kaggle: they turn its answers into bytes, passing trouble, or a refusal.

Kaggle's client is used through its lower half, kagglesdk: importing ``kaggle`` itself signs in over the
network without a time limit, prints, and up to 2.2.3 leaves the process when there is no token. Its download
prints its progress, and explains no refusal.
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from georoads import __version__
from georoads.data.fetch import Answer, Opener, PassingError
from georoads.data.kaggle_token import PAGE, WITHOUT, KaggleToken
from georoads.errors import DatasetError

OWNER, NAME = "balraj98", "deepglobe-road-extraction-dataset"
CONNECT_S, READ_S = 20.0, 60.0
"""How long a connection may take, and how long the server may be silent."""
_BLOCK = 1 << 16
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_RULES = re.compile(r"accept|consent|\brules\b|\bterms\b|agree", re.IGNORECASE)


def kaggle_opener(token: KaggleToken, timeouts: tuple[float, float] = (CONNECT_S, READ_S)) -> Opener:
    """How ``fetch`` opens DeepGlobe's archive at Kaggle.

    Each opening asks Kaggle for a fresh address, since the one it gives is valid for a short while only.

    Args:
        token: what Kaggle is shown.
        timeouts: seconds to connect, and of silence, after which an attempt has failed.

    Raises:
        DatasetError: at once, when Kaggle's client is not installed. From the opener: the token is not
            accepted, the rules are not, the data set is gone.
    """
    try:
        import kagglesdk
        import requests  # noqa: F401
    except ImportError as e:
        raise DatasetError(f"Kaggle's client is not installed ({e.name})", "pip install kaggle") from e
    del kagglesdk

    def open_at(offset: int, validator: str) -> AbstractContextManager[Answer]:
        return _open(token, timeouts, offset, validator)

    return open_at


@contextmanager
def _open(token: KaggleToken, timeouts: tuple[float, float], offset: int, validator: str) -> Iterator[Answer]:
    import requests

    try:
        request = _address(token, timeouts)
        request.headers["Accept-Encoding"] = "identity"  # offsets count the bytes of the file itself
        if offset:
            request.headers["Range"] = f"bytes={offset}-"
            if validator:
                request.headers["If-Range"] = validator
        with requests.Session() as session:
            settings = session.merge_environment_settings(request.url, {}, True, None, None)
            with session.send(request, timeout=timeouts, **settings) as response:
                yield _answer(response, offset, timeouts)
    except requests.RequestException as e:
        raise PassingError(_reason(e, timeouts)) from e


def _address(token: KaggleToken, timeouts: tuple[float, float]) -> Any:
    """The request that Kaggle forwards us to, ready to be sent (a requests.PreparedRequest)."""
    import requests
    from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

    wanted = ApiDownloadDatasetRequest()
    wanted.owner_slug, wanted.dataset_slug = OWNER, NAME
    bearer = _signed_in(token, timeouts) if token.login else token.bearer
    try:
        with _client(timeouts, bearer, token.key) as client:
            response = client.datasets.dataset_api_client.download_dataset(wanted)
            response.close()
            return response.request.copy()
    except requests.HTTPError as e:
        raise _refusal(e, token) from e


def _signed_in(token: KaggleToken, timeouts: tuple[float, float]) -> str:
    """The access token of ``kaggle auth login``, renewed when it is too old."""
    import requests
    from kagglesdk.kaggle_creds import KaggleCredentials

    try:
        with _client(timeouts, "", None) as client:
            login = KaggleCredentials.load(client=client, file_path=str(token.login))
            bearer = login.get_access_token() if login else None
    except requests.HTTPError as e:
        raise _refusal(e, token) from e
    except requests.RequestException:
        raise
    except (ValueError, TypeError) as e:
        raise DatasetError(f"{token.source} is damaged: {e}", "run kaggle auth login again") from e
    if not bearer:
        raise DatasetError(f"{token.source} holds no login", "run kaggle auth login again")
    return str(bearer)


@contextmanager
def _client(timeouts: tuple[float, float], bearer: str, key: tuple[str, str] | None) -> Iterator[Any]:
    import requests
    from kagglesdk.kaggle_client import KaggleClient
    from kagglesdk.kaggle_env import KaggleEnv
    from requests.adapters import HTTPAdapter

    class Limited(HTTPAdapter):
        """Kaggle's client sets no time limit: a silent server would hold us for ever."""

        def send(self, request: Any, *args: Any, **options: Any) -> Any:
            return super().send(request, *args, **(options | {"timeout": timeouts}))

    name, secret = key or (None, None)
    with KaggleClient(
        env=KaggleEnv.PROD,
        api_token=bearer or None,
        username=name,
        password=secret,
        user_agent=f"georoads/{__version__}",
    ) as client:
        session = getattr(client.http_client(), "_session", None)
        if isinstance(session, requests.Session):
            session.mount("https://", Limited())
            session.mount("http://", Limited())
        yield client


def _refusal(error: Any, token: KaggleToken) -> Exception:
    """What an HTTP error of Kaggle's means (of a requests.HTTPError)."""
    response = error.response
    code = _code(response)
    if response.history or code in _PASSING:  # beyond Kaggle's own door only the address can have expired
        return PassingError(f"the server answered {code}", _retry_after(response))
    text = " ".join(str(error).split())[:300]
    if code == 403 and _RULES.search(_said(response) or text.partition(" for url")[0]):
        return DatasetError(
            "Kaggle wants the data set's rules to be accepted first (403)",
            f"sign in with the same account at {PAGE}, press Download once and accept; then run this again",
        )
    if code in (401, 403) or (code == 400 and token.login):
        way = (
            "run kaggle auth login again"
            if token.login
            else "make a new one at https://www.kaggle.com/settings"
        )
        return DatasetError(
            f"Kaggle does not accept the token of {token.source} ({code})", f"{way}; {WITHOUT}"
        )
    if code == 404:
        return DatasetError(
            f"Kaggle has no data set {OWNER}/{NAME} for this account (404)", f"see {PAGE}; {WITHOUT}"
        )
    return DatasetError(f"Kaggle refused the download ({code}: {_said(response)})", f"see {PAGE}; {WITHOUT}")


def _code(response: Any) -> int:
    """The status; some of Kaggle's refusals come as JSON with a code under status 200."""
    status = int(response.status_code)
    if status < 400:
        try:
            return int(response.json()["code"])
        except (ValueError, KeyError, TypeError):
            return status
    return status


def _said(response: Any) -> str:
    try:
        content = response.json()
    except ValueError:
        return ""
    return " ".join(str(content.get("message", "")).split())[:300] if isinstance(content, dict) else ""


def _answer(response: Any, offset: int, timeouts: tuple[float, float]) -> Answer:
    code = response.status_code
    if code == 416:
        raise PassingError("the file on the server has changed", restart=True)
    if code in _PASSING or code in (401, 403):  # 401 and 403: the address has expired
        raise PassingError(f"the server answered {code}", _retry_after(response))
    if code not in (200, 206):
        raise DatasetError(f"the server refused the file ({code})", f"try later; {WITHOUT}")
    stated = response.headers.get("Content-Length", "")
    size = int(stated) if stated.isdigit() else None
    start = 0
    if code == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", "").strip())
        if found is None or int(found[1]) != offset:
            raise PassingError("the server sent another part than it was asked for", restart=True)
        start, size = offset, int(found[2])
    validator = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
    return Answer(start, size, validator, _chunks(response, timeouts))


def _chunks(response: Any, timeouts: tuple[float, float]) -> Iterator[bytes]:
    import requests

    try:
        yield from response.iter_content(_BLOCK)
    except requests.RequestException as e:
        raise PassingError(_reason(e, timeouts)) from e


def _retry_after(response: Any) -> float:
    """Seconds that the server asks us to wait (RFC 9110, 10.2.3); 0 where it does not."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return 0.0


def _reason(error: Any, timeouts: tuple[float, float]) -> str:
    """Why a request failed, without its address: that one lets its bearer in."""
    import requests

    known = (
        (requests.exceptions.ConnectTimeout, f"no connection within {timeouts[0]:g} s"),
        (requests.exceptions.ReadTimeout, f"the server was silent for {timeouts[1]:g} s"),
        (requests.exceptions.ProxyError, "the proxy refused the connection"),
        (requests.exceptions.SSLError, "the server's certificate was not accepted"),
        (requests.exceptions.ChunkedEncodingError, "the connection broke off"),
        (requests.exceptions.ConnectionError, "there is no connection to the server"),
    )
    return next((text for kind, text in known if isinstance(error, kind)), type(error).__name__)
