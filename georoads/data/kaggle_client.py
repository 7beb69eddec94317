"""Where DeepGlobe's archive can be fetched from at the moment: the only lines that talk to Kaggle.

Kaggle's client is used through its lower half, kagglesdk. Importing ``kaggle`` itself signs in over the
network without a time limit and prints; its download waits five minutes for a silent server and explains no
refusal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from georoads import __version__
from georoads.data.fetch import failure_of
from georoads.data.kaggle_token import PAGE, WITHOUT, KaggleToken
from georoads.errors import DatasetError
from georoads.remote.patience import BUSY, CONNECT_S, SILENCE_S, PassingError, asked_pause_s

OWNER, NAME = "balraj98", "deepglobe-road-extraction-dataset"
_RULES = re.compile(r"accept|consent|\brules\b|\bterms\b|agree", re.IGNORECASE)


def archive_address(token: KaggleToken) -> str:
    """Ask Kaggle for the address of DeepGlobe's archive: valid for a short while, it lets its bearer in.

    Raises:
        DatasetError: Kaggle does not accept the token, wants its rules to be accepted, or lacks the data set.
        PassingError: there is no connection, or Kaggle is busy.
    """
    import requests
    from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

    wanted = ApiDownloadDatasetRequest()
    wanted.owner_slug, wanted.dataset_slug = OWNER, NAME
    try:
        bearer = token.bearer if token.login is None else _access_token_of_login(token)
        with _client(token, bearer) as client:
            response = client.datasets.dataset_api_client.download_dataset(wanted)
            response.close()
            return str(response.url)
    except requests.HTTPError as e:
        raise _refusal(e.response, token) from e
    except requests.RequestException as e:
        raise PassingError(failure_of(e)) from e


def _access_token_of_login(token: KaggleToken) -> str:
    """The access token of ``kaggle auth login``, renewed when it is too old."""
    import requests
    from kagglesdk.kaggle_creds import KaggleCredentials

    try:
        with _client(token, "") as client:
            return str(KaggleCredentials.load(client=client, file_path=str(token.login)).get_access_token())
    except requests.RequestException:
        raise
    except (ValueError, TypeError) as e:
        raise DatasetError(f"{token.source} is damaged: {e}", "run kaggle auth login again") from e


@contextmanager
def _client(token: KaggleToken, bearer: str) -> Iterator[Any]:
    from kagglesdk.kaggle_client import KaggleClient
    from kagglesdk.kaggle_env import KaggleEnv
    from requests.adapters import HTTPAdapter

    class LimitedAdapter(HTTPAdapter):
        """Kaggle's client sets no time limit: a silent server would hold us for ever."""

        def send(self, request: Any, *args: Any, **options: Any) -> Any:
            return super().send(request, *args, **(options | {"timeout": (CONNECT_S, SILENCE_S)}))

    with KaggleClient(
        env=KaggleEnv.PROD,
        api_token=bearer or None,
        username=token.username or None,
        password=token.key or None,
        user_agent=f"georoads/{__version__}",
    ) as client:
        for scheme in ("https://", "http://"):
            client.http_client()._session.mount(scheme, LimitedAdapter())
        yield client


def _refusal(response: Any, token: KaggleToken) -> Exception:
    """What an HTTP error of Kaggle's means (of a requests.Response)."""
    code, said = _code_and_message(response)
    # Beyond Kaggle's own servers, where it forwards us to, only the address can have expired.
    if response.history or code in BUSY:
        return PassingError(
            f"the server answered {code}", asked_pause_s(response.headers.get("Retry-After", ""))
        )
    if code == 403 and _RULES.search(said):
        return DatasetError(
            "Kaggle wants the data set's rules to be accepted first (403)",
            f"sign in with the same account at {PAGE}, press Download once and accept; then run this again",
        )
    if code in (401, 403) or (code == 400 and token.login):
        again = "make a new one at https://www.kaggle.com/settings"
        return DatasetError(
            f"Kaggle does not accept the token of {token.source} ({code})",
            f"{'run kaggle auth login again' if token.login else again}; {WITHOUT}",
        )
    return DatasetError(f"Kaggle refuses to give {OWNER}/{NAME} ({code}: {said})", f"see {PAGE}; {WITHOUT}")


def _code_and_message(response: Any) -> tuple[int, str]:
    """Status and message; some of Kaggle's refusals come as JSON with a code of its own under status 200."""
    try:
        content = dict(response.json())
    except (ValueError, TypeError):
        content = {}
    message = " ".join(str(content.get("message") or response.reason).split())
    return int(content.get("code") or response.status_code), message[:300]
