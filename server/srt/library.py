"""The system's libsrt: just enough of it to call, to listen, and to carry MPEG-TS.

PyAV's FFmpeg has no SRT, and the programs that have it show the passphrase to everybody on the
machine, tell no stream ids, or no losses. The library that they are made of comes with them.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import socket
import struct
from collections.abc import Callable

from stream.errors import UserError
from stream.live.link import Link

NAMES = ("srt", "srt-gnutls", "srt-openssl")
"""What it is called: Debian's has the name of its cryptography in its own."""

PAYLOAD = 1316
"""Bytes of a message: seven packets of MPEG-TS, which pass through any network."""

LONGEST_MESSAGE = 1456

FORBIDDEN, OVERLOAD = 1403, 1402
"""Reasons to refuse a caller, from SRT's access control guidelines."""

_SNDSYN, _REUSEADDR, _RCVTIMEO = 1, 15, 14
_PASSPHRASE, _PBKEYLEN, _LATENCY, _STREAMID, _CONNTIMEO = 26, 27, 23, 46, 36
_TRANSTYPE, _LIVE = 50, 0

_CONNECTED = 5
_ASYNC_SEND = 6001

_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p
)


class SrtError(UserError):
    """Something that SRT cannot do; the message says why."""


MISSING = (
    "SRT needs the library libsrt, which is not installed here: apt install libsrt1.5-gnutls on "
    "Debian and Ubuntu, where it also comes with ffmpeg and srt-tools"
)


class _Trace(ctypes.Structure):
    """``SRT_TRACEBSTATS`` up to what is used of it, with room for the rest."""

    _fields_ = [
        ("time", ctypes.c_int64),
        ("sent", ctypes.c_int64),
        ("received", ctypes.c_int64),
        *[(name, ctypes.c_int) for name in ("send_lost", "receive_lost", "resent")],
        *[(f"control_{number}", ctypes.c_int) for number in range(4)],
        ("sending", ctypes.c_int64),
        *[(name, ctypes.c_int) for name in ("send_dropped", "receive_dropped", "undecrypted")],
        *[(f"bytes_{number}", ctypes.c_uint64) for number in range(7)],
        ("local_sent", ctypes.c_int64),
        ("local_received", ctypes.c_int64),
        *[(f"local_{number}", ctypes.c_int) for number in range(8)],
        ("send_rate", ctypes.c_double),
        ("receive_rate", ctypes.c_double),
        ("local_sending", ctypes.c_int64),
        ("disorder", ctypes.c_int),
        ("belated_time", ctypes.c_double),
        ("belated", ctypes.c_int64),
        *[(f"local_dropped_{number}", ctypes.c_int) for number in range(3)],
        *[(f"local_bytes_{number}", ctypes.c_uint64) for number in range(7)],
        ("period", ctypes.c_double),
        *[(name, ctypes.c_int) for name in ("window", "congestion", "flight")],
        ("rtt_ms", ctypes.c_double),
        ("rest", ctypes.c_byte * 1024),
    ]


def installed() -> str | None:
    """The version of the library that is here; ``None`` if there is none."""
    try:
        lib = _loaded()
    except SrtError:
        return None
    version = lib.srt_getversion()
    return f"{version >> 16}.{version >> 8 & 0xFF}.{version & 0xFF}"


def _loaded() -> ctypes.CDLL:
    for name in NAMES:
        found = ctypes.util.find_library(name)
        if found is not None:
            try:
                return ctypes.CDLL(found)
            except OSError:
                continue
    raise SrtError(MISSING)


class Library:
    """libsrt, started.

    Raises:
        SrtError: if it is not installed.
    """

    def __init__(self) -> None:
        self.c = _loaded()
        self.c.srt_getlasterror_str.restype = ctypes.c_char_p
        self.c.srt_rejectreason_str.restype = ctypes.c_char_p
        self.c.srt_startup()
        self.c.srt_setloglevel(2)  # of syslog: critical alone; the rest is returned

    def socket(self, *, latency: int, passphrase: str = "", key_length: int = 16) -> SrtSocket:
        """A socket for live media; ``latency`` in ms."""
        made = SrtSocket(self, self.c.srt_create_socket())
        made.option(_TRANSTYPE, _LIVE)
        made.option(_LATENCY, latency)
        if passphrase:
            made.option(_PBKEYLEN, key_length)
            made.text_option(_PASSPHRASE, passphrase)
        return made

    def reason(self) -> str:
        """Why the last call in this thread failed."""
        said: bytes = self.c.srt_getlasterror_str()
        return said.decode(errors="replace").strip().rstrip(".")


class SrtSocket:
    """One socket of SRT.

    Args:
        library: that it is of.
        handle: of the socket.
    """

    def __init__(self, library: Library, handle: int) -> None:
        self._library, self._c, self.handle = library, library.c, handle
        self._hook: object = None  # kept from the garbage collector

    def option(self, name: int, value: int) -> None:
        """Set an option that is a number, or a switch."""
        given = ctypes.c_int(value)
        self._checked(self._c.srt_setsockflag(self.handle, name, ctypes.byref(given), 4))

    def text_option(self, name: int, value: str) -> None:
        """Set an option that is text."""
        given = value.encode()
        self._checked(self._c.srt_setsockflag(self.handle, name, given, len(given)))

    def connect(self, host: str, port: int, *, stream_id: str, timeout: float) -> None:
        """Call somebody; blocks for ``timeout`` seconds at most.

        Raises:
            SrtError: if nobody answers, or the call is refused.
        """
        self.option(_CONNTIMEO, round(timeout * 1000))
        if stream_id:
            self.text_option(_STREAMID, stream_id)
        where = packed(host, port)
        if self._c.srt_connect(self.handle, where, len(where)) >= 0:
            return
        code = self._c.srt_getrejectreason(self.handle)
        if code == FORBIDDEN:
            raise SrtError("the server refuses the stream id")
        if code in (10, 11):  # SRT_REJ_BADSECRET, SRT_REJ_UNSECURE
            raise SrtError("the passphrase is wrong, or only one side has one")
        said = self._library.reason()
        if code > 1:
            said = self._c.srt_rejectreason_str(code).decode(errors="replace")
        raise SrtError("nobody answers there" if code in (0, 16) else f"it is refused: {said}")

    def listen(self, host: str, port: int, backlog: int) -> int:
        """Begin to listen; returns the port.

        Raises:
            SrtError: if that address cannot be listened on.
        """
        where = packed(host, port)
        self.option(_REUSEADDR, 0)  # of this process: another of ours must not share the port
        if self._c.srt_bind(self.handle, where, len(where)) < 0:
            raise SrtError(f"cannot listen on {host} port {port}: {self._library.reason()}")
        self._checked(self._c.srt_listen(self.handle, backlog))
        own, length = ctypes.create_string_buffer(128), ctypes.c_int(128)
        self._checked(self._c.srt_getsockname(self.handle, own, ctypes.byref(length)))
        return unpacked(own.raw)[1]

    def on_call(self, decide: Callable[[int, str, str], int]) -> None:
        """Have a function decide about callers, in the library's own thread.

        Args:
            decide: from the number of the socket to be, the caller's address and the stream id
                that it asks for, to 0 or a reason to refuse it.
        """

        def hook(_: object, handle: int, version: int, where: int, stream_id: bytes | None) -> int:
            try:
                host = unpacked(ctypes.string_at(where, 28))[0]
                wanted = (stream_id or b"").decode(errors="replace")
                code = decide(handle, host, wanted)
            except Exception:
                code = 1500
            if code:
                self._c.srt_setrejectreason(handle, code)
            return -1 if code else 0

        self._hook = _Callback(hook)
        self._checked(self._c.srt_listen_callback(self.handle, self._hook, None))

    def accept(self) -> SrtSocket:
        """The next caller; blocks.

        Raises:
            SrtError: once it is closed.
        """
        return SrtSocket(self._library, self._checked(self._c.srt_accept(self.handle, None, None)))

    def receive(self, into: ctypes.Array[ctypes.c_char]) -> int:
        """Take the next message; returns its length, or 0 once the connection is over."""
        got: int = self._c.srt_recvmsg(self.handle, into, len(into))
        return max(0, got)

    def patience(self, seconds: float) -> None:
        """How long ``receive`` waits before it takes the connection for over."""
        self.option(_RCVTIMEO, round(seconds * 1000))

    def never_wait(self) -> None:
        """Have ``send`` return at once."""
        self.option(_SNDSYN, 0)

    def send(self, data: bytes) -> bool:
        """Send a message of at most ``PAYLOAD`` bytes; whether there was room for it.

        Raises:
            SrtError: if the connection is over.
        """
        if self._c.srt_sendmsg(self.handle, data, len(data), -1, 1) >= 0:
            return True
        if self._c.srt_getlasterror(None) == _ASYNC_SEND:
            return False
        raise SrtError(f"the connection is over: {self._library.reason()}")

    @property
    def connected(self) -> bool:
        """Whether there is somebody at the other end."""
        return bool(self._c.srt_getsockstate(self.handle) == _CONNECTED)

    @property
    def unsent(self) -> int:
        """Bytes that the other end has not confirmed yet."""
        count, size = ctypes.c_size_t(), ctypes.c_size_t()
        self._c.srt_getsndbuffer(self.handle, ctypes.byref(count), ctypes.byref(size))
        return size.value

    def statistics(self) -> Link | None:
        """What has come of the connection; ``None`` if it is over."""
        trace = _Trace()
        if self._c.srt_bistats(self.handle, ctypes.byref(trace), 0, 1) < 0:
            return None
        return Link(
            trace.rtt_ms / 1000,
            trace.send_lost + trace.receive_lost,
            trace.resent,
            trace.send_dropped + trace.receive_dropped,
        )

    def close(self) -> None:
        """End it."""
        self._c.srt_close(self.handle)

    def _checked(self, result: int) -> int:
        if result < 0:
            raise SrtError(f"SRT fails: {self._library.reason()}")
        return result


def packed(host: str, port: int) -> bytes:
    """An address as the C library has it; blocks while the name is resolved.

    Raises:
        SrtError: if the host is not known.
    """
    try:
        family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    except (OSError, UnicodeError):
        raise SrtError(f"the host '{host}' is not known") from None
    kind = struct.pack("=H", family) + struct.pack("!H", port)
    if family == socket.AF_INET:
        return kind + socket.inet_aton(str(where[0])) + bytes(8)
    scope = int(where[3]) if len(where) > 3 else 0
    raw = socket.inet_pton(socket.AF_INET6, str(where[0]).partition("%")[0])
    return kind + bytes(4) + raw + struct.pack("=I", scope)


def unpacked(raw: bytes) -> tuple[str, int]:
    """Host and port of an address as the C library has it."""
    (family,), (port,) = struct.unpack("=H", raw[:2]), struct.unpack("!H", raw[2:4])
    if family == socket.AF_INET:
        return socket.inet_ntoa(raw[4:8]), port
    return socket.inet_ntop(socket.AF_INET6, raw[8:24]), port
