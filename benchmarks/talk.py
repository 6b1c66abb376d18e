"""Several minutes of English speech at three speeds, for measuring how dubs fit their slots.

    python benchmarks/talk.py OUT.mp4

Three passages of a talk about bread, a quick report and a slow tale, spoken like the demo clip
but each at its own pace, with natural pauses at clauses. Most sentences are longer than the demo
clip's.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from demo_clip import Line, make_clip

_LECTURE = (
    Line("Today I would like to talk about bread, | and about the people who make it.", 0.9),
    Line("Most of us buy our bread in a supermarket without thinking about it.", 0.6),
    Line("But a good loaf needs only four things: | flour, water, salt and time.", 1.0),
    Line("Time is the one that factories do not like to pay for.", 1.3),
    Line(
        "When you leave the dough alone overnight, | the yeast slowly turns sugar into gas, "
        "and the taste becomes richer and slightly sour.",
        0.8,
    ),
    Line("That is the whole secret.", 1.1),
    Line("My grandmother baked every Saturday, | and the whole street could smell it.", 0.7),
    Line("She never weighed anything.", 0.55),
    Line("She put her hand into the bowl, | and she knew whether it needed more water.", 1.2),
    Line("I have been trying to learn that for twenty years.", 0.8),
    Line(
        "If you want to begin at home, do not buy expensive machines, | because a simple oven "
        "and a heavy pot will do.",
        0.9,
    ),
    Line("Heat the pot first, then put the dough inside and close the lid.", 0.65),
    Line("After half an hour, | take the lid away and let the crust turn brown.", 1.6),
)

_REPORT = (
    Line("The city council decided last night to close the old bridge for eight months.", 0.6),
    Line("Engineers found cracks in two of the five pillars during a regular inspection.", 0.55),
    Line(
        "Buses will take another route through the northern suburbs, | which adds about fifteen "
        "minutes to the journey in the morning.",
        0.7,
    ),
    Line("Shopkeepers near the river are worried about losing their customers.", 0.6),
    Line("One of them told us that she may have to close before the summer.", 0.8),
    Line("The mayor promised that small businesses will receive support from a fund.", 0.6),
    Line("However, nobody could say how large that fund will be.", 0.9),
    Line("In other news, the national museum has opened its new wing for modern art.", 0.6),
    Line(
        "More than three hundred paintings are on display, | many of them for the first time in "
        "half a century.",
        0.65,
    ),
    Line("Entrance is free until the end of the month.", 0.7),
    Line("And finally the weather.", 0.55),
    Line("It will be cloudy with some rain in the west, | and dry and sunny elsewhere.", 0.8),
    Line("Temperatures will reach twenty-four degrees by the afternoon.", 1.6),
)

_TALE = (
    Line("Once upon a time, | an old fisherman lived alone on a small island.", 1.0),
    Line("Every morning he rowed out to sea, | and every evening he came home.", 0.9),
    Line("He had no clock, no letters and no visitors.", 1.2),
    Line("One day he found a bottle in his net.", 0.8),
    Line("Inside was a piece of paper with a single word.", 1.0),
    Line("It said: | wait.", 1.4),
    Line("So he sat down on a rock and waited.", 0.9),
    Line(
        "The sun went down behind the hills, | the stars came out one after another, | and the "
        "wind fell asleep.",
        1.0,
    ),
    Line("At midnight he heard the sound of oars.", 1.1),
    Line("A young woman stepped out of a boat and smiled at him.", 0.8),
    Line("I wrote that letter when I was seven, she said, | and I always hoped to meet you.", 1.2),
    Line("They talked until the morning.", 0.7),
    Line("And from that day on, | nobody was lonely on the island.", 1.5),
)

TALK = tuple(
    replace(line, pace=pace)
    for passage, pace in ((_LECTURE, 1.0), (_REPORT, 1.2), (_TALE, 0.85))
    for line in passage
)

if __name__ == "__main__":
    clip = make_clip(Path(sys.argv[1]), script=TALK)
    print(f"{clip.path}: {clip.duration:.2f} s, {len(clip.sentences)} sentences")
