PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
IN ?= demo/clip.mp4
# Only the tests of checkpoint conversion need it; any release from 2.4 on will do.
TORCH ?= torch==2.13.0

.PHONY: demo test lint clean

$(BIN)/livedub: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[embedded,plot]'
	@touch $@

$(VENV)/.dev: $(BIN)/livedub
	$(BIN)/python -m pip install --quiet -e '.[embedded,plot,serve,convert,dev]' '$(TORCH)'
	@touch $@

demo/clip.mp4: $(BIN)/livedub
	@mkdir -p demo
	$(BIN)/python benchmarks/demo_clip.py $@

demo: $(BIN)/livedub $(IN)
	@mkdir -p demo
	$(BIN)/livedub file $(IN) demo/dubbed.mp4 --report demo/report.json --subtitles demo --plot demo/sync.png $(ARGS)
	@echo "Dubbed video: demo/dubbed.mp4"
	@echo "Subtitles:    demo/dubbed.en.vtt demo/dubbed.pt.vtt"
	@echo "Sync plot:    demo/sync.png"
	@echo "Report:       demo/report.json"

test: $(VENV)/.dev
	@if command -v ffprobe >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && apt-get install -y -qq ffmpeg >/dev/null; \
	else echo "ffmpeg is not installed: tests that need ffprobe will skip"; fi
	$(BIN)/python -m pytest -q

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) demo build dist
