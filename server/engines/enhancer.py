"""A session's own enhancer, if there is to be one."""

from __future__ import annotations

import logging

from server.config import AUTO, Config
from stages.base import EngineError, Enhancer
from stages.registry import ENGINES, create, missing

_LOG = logging.getLogger(__name__)


def enhancer_for(config: Config) -> Enhancer | None:
    """What ``sound.enhance`` names, where the bed is to be lifted; blocks while it is made.

    ``auto`` is the first that is installed, and none where it cannot be made.

    Raises:
        EngineError: if one that is named cannot be had.
    """
    name = config.sound.enhance
    if name == "none" or config.playout.bed != "lift":
        return None
    if name != AUTO:
        enhancer: Enhancer = create("sound", name)
        return enhancer
    for name in ENGINES["sound"]:
        if missing("sound", name):
            continue
        try:
            found: Enhancer = create("sound", name)
        except EngineError as error:
            _LOG.warning("sound.enhance auto does without %s: %s", name, error)
        else:
            return found
    return None
