"""What a session may ask for that is made over the API, and not by the operator."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

from server.addresses.opening import SCHEMES
from server.addresses.pinned import pinned
from server.addresses.reach import AddressError, Public, host_of
from server.config import Config
from server.sessions.lendable import check_settings
from server.sessions.spec import PUBLISH, SessionSpec, SpecError
from stream.flow.worker import Worker

NAMES_S = 5.0
"""Seconds that name servers have to answer."""

INQUIRIES = 4
"""Sessions whose names are resolved at once."""


class Terms:
    """The limits of sessions that are made over the API.

    Args:
        config: the daemon's own.
    """

    def __init__(self, config: Config) -> None:
        self.reach = Public.declared(config.serve.hosts)
        self._files = config.serve.files
        self._config = config

    def checked(self, spec: SessionSpec) -> SessionSpec:
        """A session as it may be made; blocks while names are resolved.

        Hosts are checked again, and the addresses that were checked connected to, whenever it
        connects. A file is opened by the path that was checked.

        Raises:
            SpecError: naming what is not allowed.
        """
        check_settings(spec.settings, self._config)
        try:
            for output in spec.outputs:
                output.check_target()
                if output.url is not None:
                    pinned(output.url, self.reach)
                if output.whip is not None:
                    self.reach.addresses(host_of(output.whip)[0])
            return spec.model_copy(update={"source": self._source(spec.source)})
        except AddressError as error:
            raise SpecError(str(error)) from None

    def _source(self, url: str) -> str:
        scheme = urlsplit(url).scheme
        if url == PUBLISH:
            return url
        if scheme in ("", "file"):
            return f"file:{self._file(url.removeprefix('file:'))}"
        if scheme not in SCHEMES or not url[len(scheme) :].startswith("://"):
            raise SpecError(f"'{scheme}:' is no source, only {', '.join(SCHEMES)}")
        host, _ = host_of(url)
        self.reach.addresses(host)
        if scheme in ("udp", "srt"):
            pinned(url, self.reach)
        return url

    def _file(self, name: str) -> Path:
        if self._files is None:
            raise SpecError("files are no source here: set serve.files to a folder of media")
        try:
            path = Path(name).resolve()
            outside = not path.is_relative_to(self._files.resolve())
            irregular = not outside and path.exists() and not path.is_file()
        except (OSError, RuntimeError, ValueError):
            raise SpecError("the source is no valid name of a file") from None
        if outside:
            raise SpecError("the file is outside of the folder in serve.files")
        if irregular:
            raise SpecError("the source is no regular file")
        return path


class Inquiries:
    """Checks sessions in threads of their own, so that slow name servers keep nobody else waiting.

    Args:
        terms: of the sessions.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._free = asyncio.Semaphore(INQUIRIES)

    async def checked(self, spec: SessionSpec) -> SessionSpec:
        """See ``Terms.checked``; it takes ``NAMES_S`` at most."""
        worker = Worker("names")
        try:
            async with asyncio.timeout(NAMES_S), self._free:
                checked = await worker.run(lambda: self._terms.checked(spec))
        except TimeoutError:  # the thread ends when its call does
            raise SpecError("the host's name server does not answer") from None
        except SpecError:
            await worker.aclose()
            raise
        await worker.aclose()
        return checked
