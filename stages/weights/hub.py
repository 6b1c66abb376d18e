"""Weights from the Hugging Face hub."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from pathlib import Path

from stages.base import EngineError
from stages.weights import licences
from stages.weights.commits import COMMITS

_log = logging.getLogger(__name__)

_REFERENCE = re.compile(
    r"(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[0-9a-f]{40}))?(?::(?P<file>[^:]+))?"
)
# Other frameworks' copies of the same weights.
_UNWANTED = ["*.h5", "*.msgpack", "*.ot", "*.tflite", "*.onnx", "onnx/*", "coreml/*", "openvino/*"]


def is_hub_reference(reference: str) -> bool:
    """Whether ``reference`` reads as ``owner/name`` or ``owner/name:path/in/repository``.

    The name may have ``@`` and a commit behind it, 40 hexadecimal digits.
    """
    return _REFERENCE.fullmatch(reference) is not None


def is_offline() -> bool:
    """Whether the network is off limits: ``LIVEDUB_OFFLINE`` or ``HF_HUB_OFFLINE`` is set."""
    values = (os.environ.get(name, "") for name in ("LIVEDUB_OFFLINE", "HF_HUB_OFFLINE"))
    return any(value.strip().lower() in ("1", "true", "yes", "on") for value in values)


def download(reference: str) -> Path:
    """Fetch a repository, or one file of it, into the hub's own cache.

    Files in the cache are not fetched again, an interrupted download resumes, and the cache is
    enough when the hub cannot be reached. Offline the network is never touched.

    Args:
        reference: ``owner/name`` for the folder, ``owner/name:path`` for a file, of the commit in
            ``COMMITS`` or else of the newest; ``owner/name@commit`` of that one, which nobody can
            change any more.

    Raises:
        EngineError: if it cannot be fetched, or its licence was not accepted.
    """
    from huggingface_hub import hf_hub_download, snapshot_download

    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise EngineError(
            f"'{reference}' is no hub id; write owner/name, owner/name@commit or owner/name:file."
        )
    licences.require(reference)
    repository, file = match["repository"], match["file"]
    local, revision = is_offline(), _revision(match)
    if file:
        path = _fetch(
            reference,
            lambda: hf_hub_download(repository, file, revision=revision, local_files_only=local),
        )
    else:
        path = _fetch(
            reference,
            lambda: snapshot_download(
                repository, revision=revision, ignore_patterns=_UNWANTED, local_files_only=local
            ),
        )
    if revision is None and not local:
        _tell_commit(repository, file, path)
    return path


def fetched_path(reference: str) -> Path | None:
    """Where ``owner/name`` or ``owner/name:path`` is in the hub's cache; ``None`` if it is not."""
    from huggingface_hub import try_to_load_from_cache

    match = _REFERENCE.fullmatch(reference)
    if match is None:
        return None
    file = match["file"] or "config.json"
    found = try_to_load_from_cache(match["repository"], file, revision=_revision(match))
    if not isinstance(found, str):
        return None
    return Path(found) if match["file"] else Path(found).parent


def _revision(match: re.Match[str]) -> str | None:
    return match["revision"] or COMMITS.get(match["repository"])


def _tell_commit(repository: str, file: str | None, path: Path) -> None:
    """Say which commit it was, to whoever wants to have the same tomorrow."""
    _, _, inside = str(path).partition(f"{os.sep}snapshots{os.sep}")
    commit = inside.partition(os.sep)[0]
    if inside:
        pinned = f"{repository}@{commit}" + (f":{file}" if file else "")
        _log.info("%s is whatever the hub has now; to stay with this, write %s", repository, pinned)


def _fetch(reference: str, function: Callable[[], str]) -> Path:
    from huggingface_hub import errors

    try:
        return Path(function())
    except errors.GatedRepoError as error:
        raise EngineError(
            f"'{reference}' needs its licence accepted on huggingface.co "
            "and a token in the environment variable HF_TOKEN."
        ) from error
    except (errors.RepositoryNotFoundError, errors.RemoteEntryNotFoundError) as error:
        raise EngineError(
            f"The Hugging Face hub has no '{reference}'; check the name, "
            "or set HF_TOKEN if it is private."
        ) from error
    except Exception as error:  # HTTP client errors differ between huggingface_hub versions
        if is_offline():
            raise EngineError(
                f"'{reference}' is not on this machine, and livedub is offline: run 'livedub "
                f"models pull {reference}' where there is a network, or give a folder's path."
            ) from error
        raise EngineError(
            f"'{reference}' is not in the local hub cache and the hub cannot be reached "
            f"({type(error).__name__}); connect, or give the path of a folder with the weights."
        ) from error
