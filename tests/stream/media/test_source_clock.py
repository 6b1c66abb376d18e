"""One clock for all streams of a source: made-up sources whose true times are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream.media.source_clock import SourceClock
from stream.timeline import TICK_RATE, ticks

SOUND, PICTURE = "sound", "picture"
STEPS = {SOUND: TICK_RATE // 10, PICTURE: TICK_RATE // 8}
WRAP = (1 << 33) * TICK_RATE // 90_000
"""Where the clock of MPEG-TS begins again."""

SPACING_S = 6.0
"""Seconds from one event to the next."""

Kind = Literal["gap", "jump", "repeat"]


@dataclass(frozen=True)
class Event:
    """Something that happens to one stream, or to all of them.

    A gap of ``seconds``; a clock set by ``seconds``; or ``seconds`` sent again for new ones.
    """

    kind: Kind
    seconds: float
    who: tuple[str, ...] = (SOUND, PICTURE)


@dataclass
class Made:
    """A source: packets with the time at which they really happened."""

    events: list[Event]
    starts: dict[str, float] = field(default_factory=dict)
    origins: dict[str, float] = field(default_factory=dict)
    drift: float = 0.0
    wrap: int | None = None
    ahead: float = 0.0  # seconds by which pictures arrive before sound

    def packets(self) -> list[tuple[float, str, int, int]]:
        """Arrival in seconds, stream, true time and timestamp, in the order of arrival."""
        out: list[tuple[float, str, int, int]] = []
        for stream in STEPS:
            out += self._stream(stream)
        return sorted(out)

    def _stream(self, stream: str) -> list[tuple[float, str, int, int]]:
        begin, origin = self.starts.get(stream, 0.0), ticks(self.origins.get(stream, 0.0))
        pace = 1 + (self.drift if stream == PICTURE else 0.0)
        end = SPACING_S * (len(self.events) + 1) + sum(e.seconds for e in self._gaps())
        out: list[tuple[float, str, int, int]] = []
        true, moved = ticks(begin), 0
        due = self._due()
        again, shift = 0, 0  # what is repeated ends there; by how much it is older
        while true < ticks(end):
            while due and true >= due[0][0]:
                _, event = due.pop(0)
                mine = stream in event.who
                if event.kind == "gap" and mine:
                    true += ticks(event.seconds)
                elif event.kind == "jump" and mine:
                    moved += ticks(event.seconds)
                elif event.kind == "repeat" and mine:
                    shift = ticks(event.seconds)
                    again = true + shift
            stamp = origin + round(true * pace) + moved
            stamp = stamp if self.wrap is None else stamp % self.wrap
            arrival = true / TICK_RATE - (self.ahead if stream == PICTURE else 0.0)
            old = true < again
            out.append((arrival, stream, -1 if old else true, stamp - shift * old))
            true += STEPS[stream]
        return out

    def _gaps(self) -> list[Event]:
        return [e for e in self.events if e.kind == "gap"]

    def _due(self) -> list[tuple[int, Event]]:
        """Events by true time, behind the gaps before them."""
        due, at = [], 0.0
        for event in self.events:
            at += SPACING_S
            due.append((ticks(at), event))
            at += event.seconds if event.kind == "gap" else 0.0
        return due


def errors(made: Made, *, discontinuous: bool = True) -> dict[str, list[float]]:
    """Seconds by which each packet is placed late, by stream; repeats are not counted."""
    packets = made.packets()
    clock = SourceClock[tuple[str, int]](discontinuous=discontinuous)
    placed = []
    for _, stream, true, stamp in packets:
        placed += clock.place(stream, stamp, STEPS[stream], (stream, true))
    placed += clock.flush()
    assert len(placed) == len(packets), "none is lost"
    zero = packets[0][2]
    late: dict[str, list[float]] = {SOUND: [], PICTURE: []}
    for stream in late:
        own = [p.item[1] for p in placed if p.item[0] == stream]
        sent = [true for _, name, true, _ in packets if name == stream]
        assert own == sent, "each stream stays in order"
    for one in placed:
        stream, true = one.item
        if true >= 0:
            late[stream].append((one.time - (true - zero)) / TICK_RATE)
    return late


ALL = (SOUND, PICTURE)
JUMPS = st.one_of(st.floats(-9, -0.7), st.floats(-100_000, -11), st.floats(12, 100_000))
HAPPENINGS = st.one_of(
    st.builds(Event, st.just("gap"), st.floats(0.1, 9), st.just(ALL)),
    st.builds(Event, st.just("gap"), st.floats(0.1, 60), st.sampled_from([(SOUND,), (PICTURE,)])),
    st.builds(Event, st.just("jump"), JUMPS, st.just(ALL)),
    st.builds(
        Event,
        st.just("jump"),
        st.one_of(st.floats(-100_000, -30), st.floats(30, 100_000)),
        st.sampled_from([(SOUND,), (PICTURE,)]),
    ),
    st.builds(Event, st.just("repeat"), st.floats(1, 5), st.sampled_from([(SOUND,), (PICTURE,)])),
)


@given(
    st.lists(HAPPENINGS, max_size=4),
    st.floats(-1000, 100_000),
    st.floats(0, 5),
    st.sampled_from(ALL),
    st.floats(0, 0.7),
)
@example([Event("jump", -4), Event("jump", -4)], 0.0, 0.0, SOUND, 0.7)
@example([Event("gap", 15, (SOUND,)), Event("jump", -50)], 0.0, 5.0, PICTURE, 0.0)
def test_whatever_happens_all_streams_stay_together(
    events: list[Event], origin: float, late: float, who: str, ahead: float
) -> None:
    made = Made(events, {who: late}, {SOUND: origin, PICTURE: origin}, ahead=ahead)
    found = errors(made)
    slack = 0.1 + 1.2 * sum(e.kind == "jump" for e in events)
    for stream in ALL:
        assert max(map(abs, found[stream])) <= slack, "the timeline goes on"
    both = [e for e in events if e.kind == "jump" and e.who != ALL]
    if not both:
        assert found[SOUND][-1] == pytest.approx(found[PICTURE][-1], abs=1e-4), "and in sync"
    else:
        assert abs(found[SOUND][-1] - found[PICTURE][-1]) <= 0.1 + 1.2 * len(both)


@given(st.floats(20, 100_000), st.sampled_from(ALL), st.booleans(), st.floats(0, 3))
def test_two_origins_are_put_together_by_arrival(
    apart: float, who: str, back: bool, late: float
) -> None:
    made = Made([], {who: late}, {who: -apart if back else apart})
    found = errors(made)
    assert max(abs(error) for stream in ALL for error in found[stream]) <= 0.13


@given(st.floats(0.1, 8), st.sampled_from(ALL))
def test_a_distance_of_some_seconds_is_real(late: float, who: str) -> None:
    packets = [(stream, 0 if stream != who else ticks(late)) for stream in ALL]
    clock = SourceClock[str](0, discontinuous=True)
    placed = [p for stream, stamp in packets for p in clock.place(stream, stamp, 1024, stream)]
    assert {p.item: p.time for p in placed} == dict(packets)


@given(
    st.floats(0, 60),
    st.floats(-0.001, 0.001),
    st.lists(HAPPENINGS.filter(lambda one: (one.kind, one.who) != ("gap", ALL)), max_size=1),
)
def test_a_clock_that_wraps_goes_on(before: float, drift: float, events: list[Event]) -> None:
    origin = WRAP / TICK_RATE - before
    found = errors(Made(events, {}, dict.fromkeys(ALL, origin), wrap=WRAP))
    slack = 0.15 + 1.2 * sum(e.kind == "jump" for e in events)
    assert max(abs(error) for stream in ALL for error in found[stream]) <= slack
    drifted = errors(Made([], {}, {}, drift=drift))
    assert abs(drifted[PICTURE][-1] - drift * SPACING_S) < 0.01, "times that drift are as they are"


@pytest.mark.parametrize("who", [ALL, (SOUND,), (PICTURE,)])
@given(seconds=st.floats(0.1, 90))
def test_a_long_gap_in_a_file_is_real(who: tuple[str, ...], seconds: float) -> None:
    found = errors(Made([Event("gap", seconds, who)]), discontinuous=False)
    assert max(abs(error) for stream in ALL for error in found[stream]) == 0


@given(st.lists(st.floats(-100_000, -0.7), max_size=3))
def test_a_file_made_of_several_goes_on(jumps: list[float]) -> None:
    found = errors(Made([Event("jump", seconds) for seconds in jumps]), discontinuous=False)
    assert max(abs(error) for stream in ALL for error in found[stream]) <= 0.1 * len(jumps)


@pytest.mark.parametrize("jump", [-3.0, -20.0, 20.0])
def test_the_only_stream_waits_for_nobody(jump: float) -> None:
    clock = SourceClock[int](discontinuous=True)
    times = []
    for number in range(100):
        stamp = number * 1024 + (ticks(jump) if number >= 50 else 0)
        (placed,) = clock.place(SOUND, stamp, 1024, number)
        times.append(placed.time)
    assert times == [number * 1024 for number in range(100)]
    assert clock.restarts == 1


def test_missing_timestamps_go_on_from_the_one_before() -> None:
    clock = SourceClock[int](discontinuous=False)
    stamps = [7, None, None, 7 + 3 * 1024]
    placed = [p for n, stamp in enumerate(stamps) for p in clock.place(SOUND, stamp, 1024, n)]
    assert [p.time for p in placed] == [0, 1024, 2048, 3072]


def test_subtitles_follow_the_newest_clock() -> None:
    clock = SourceClock[int](ticks(100), discontinuous=True)
    clock.place(SOUND, ticks(100), ticks(1), 0)
    assert clock.follow(ticks(105), 1).time == ticks(5)
    clock.place(SOUND, ticks(3), ticks(1), 2)  # set back by 98 s
    assert clock.follow(ticks(4), 3).time == ticks(2)


def test_what_jumped_and_is_never_joined_is_given_back_at_the_end() -> None:
    clock = SourceClock[int](discontinuous=True)
    for number in range(50):
        clock.place(SOUND, number * 1024, 1024, number)
        clock.place(PICTURE, number * 1024, 1024, number)
    assert clock.place(SOUND, 0, 1024, 50) == []
    assert [p.time for p in clock.flush()] == [50 * 1024]
