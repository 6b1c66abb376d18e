PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
IN ?= demo/clip.mp4
# Only XTTS and the conversion of checkpoints need it. This release takes 190 MB on a CPU; later
# ones bring 6 GB of CUDA.
TORCH ?= torch==2.13.0

# Most live tests wait for media to pass: three at a time keep two cores busy for two thirds of the
# time, four for three quarters. Those that fail on a crowded machine have a core each: even beside
# others that are niced, what Chromium plays is out of sync now and then.
PYTEST ?= -n 4
QUIET ?= -n 2
FILES := --dist loadfile --no-loadscope-reorder
# Each process imports all the files it is given, so the second run is given only those it needs.
QUIET_FILES = $(shell grep -rl --include='test_*.py' 'mark\.quiet' tests)

# Without compiled modules on disk, every process compiles all that it imports, which takes seconds.
unexport PYTHONDONTWRITEBYTECODE

# What pip and apt install comes at the same time.
MAKEFLAGS += --jobs=2

.PHONY: demo eval screenshots readme test system lint lock audit fuzz clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

# Versions that are tested, with hashes. uv checks those; pip, which wants them for this folder too, gets
# the versions alone.
LOCK := packaging/locked.txt
$(VENV)/versions.txt: $(LOCK) | $(BIN)/python
	sed -n 's/^\([^ ]*==.*[^ \\]\) *\\$$/\1/p' $< > $@

$(BIN)/livedub: pyproject.toml $(VENV)/versions.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --constraint $(VENV)/versions.txt -e '.[embedded,plot]'
	@touch $@

# uv takes a third of pip's time for this much. It does not read pip's settings, so they are passed on.
pip_setting = $(shell $(BIN)/python -m pip config get global.$(1) 2>/dev/null)
UV = $(BIN)/uv pip install --quiet --python $(BIN)/python --index-strategy unsafe-best-match \
  $(addprefix --default-index ,$(call pip_setting,index-url)) \
  $(addprefix --index ,$(call pip_setting,extra-index-url)) \
  $(addprefix --find-links ,$(call pip_setting,find-links)) \
  $(addprefix --constraint ,$(call pip_setting,constraint)) --constraint $(LOCK)

# What they require, which is much, serves parts that are not used here.
BARE := --no-deps resemblyzer==0.1.4 silero-vad==6.0.0
DEV := -e '.[embedded,plot,enhance,serve,eval,convert,cluster,xtts,dev]' '$(TORCH)'
$(VENV)/.dev: pyproject.toml $(VENV)/versions.txt | $(BIN)/python
	($(BIN)/python -m pip install --quiet uv && export UV_SYSTEM_CERTS=1 && $(UV) $(DEV) && $(UV) $(BARE)) \
	  || ($(BIN)/python -m pip install --quiet --no-compile --constraint $(VENV)/versions.txt $(DEV) \
	  && $(BIN)/python -m pip install --quiet $(BARE))
# PyPI's torchaudio links CUDA; without its compiled part, which XTTS does not need, it does not.
	! grep -qs '^cuda.*= None' $(VENV)/lib/python*/site-packages/torch/version.py \
	  || rm -f $(VENV)/lib/python*/site-packages/torchaudio/lib/*.so
	@touch $(BIN)/livedub $@

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

# Every table of docs/inside/results.md; make eval PEOPLE=FOLDER makes those of people's recordings too.
eval: $(VENV)/.dev
	$(BIN)/python -m benchmarks.evaluation demo/eval $(if $(PEOPLE),--people '$(PEOPLE)') $(ARGS)

system:
	@if command -v ffprobe >/dev/null && command -v chromium >/dev/null && command -v turnserver >/dev/null \
	  && ls /usr/lib/nginx/modules/ngx_rtmp_module.so >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	    --no-install-recommends ffmpeg nginx libnginx-mod-rtmp coturn openssl chromium >/dev/null; \
	else echo "Without ffmpeg, nginx's RTMP module, coturn and Chromium some tests will skip"; fi

# The pages as docs/images shows them, in a real Chromium.
screenshots: $(VENV)/.dev system demo/clip.mp4
	$(BIN)/python -m tests.e2e.screenshots demo/clip.mp4 docs/images

# README's commands in a clone and an environment of their own, with nothing that developers have.
readme: $(VENV)/.dev system
	$(BIN)/python -m tests.e2e.readme

# Models that share cores with other processes' models would spend half of their time spinning.
test: export OMP_NUM_THREADS = 1
test: export OMP_WAIT_POLICY = PASSIVE
test: export KMP_BLOCKTIME = 0
test: $(VENV)/.dev system
	$(BIN)/python -m pytest -q -m 'not quiet' $(PYTEST) $(FILES)
	$(BIN)/python -m pytest -q -m quiet $(QUIET) $(FILES) $(QUIET_FILES)

# How much of the dub itself its own tests reach, without a model, a socket or a file.
HEART := stream/dub stream/speech
coverage: $(VENV)/.dev
	$(BIN)/python -m pytest -q $(addprefix tests/,$(HEART)) tests/stream/flow $(addprefix --cov=,$(HEART)) \
	  --cov-report=term-missing:skip-covered --cov-fail-under=95

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Everything that strangers can send, to every door, for so many minutes; tests/fuzz says how.
MINUTES ?= 5
fuzz: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --constraint $(VENV)/versions.txt -e '.[fuzz]'
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES) $(DOORS)

# The newest versions that fit, with hashes, for every Python and system; PyTorch is chosen by machine.
lock: | $(BIN)/python
	$(BIN)/python -m pip install --quiet uv
	echo '$(TORCH)' > $(VENV)/torch.txt
	UV_SYSTEM_CERTS=1 $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header --upgrade --default-index https://pypi.org/simple --all-extras \
	  --constraint $(VENV)/torch.txt $(addprefix --no-emit-package ,torch torchaudio torchcodec triton livedub) \
	  pyproject.toml --output-file $(LOCK)

# Known vulnerabilities of what is locked, from PyPI's service. Fails if there are any.
audit: $(VENV)/.dev
	@$(BIN)/pip-audit --progress-spinner off --disable-pip --require-hashes --requirement $(LOCK) \
	  > $(VENV)/audit.txt 2>&1; code=$$?; \
	if grep '^Found .* known vulnerabilit' $(VENV)/audit.txt; then cat $(VENV)/audit.txt; exit 1; \
	elif [ $$code != 0 ] || grep -q 'could not be audited' $(VENV)/audit.txt; then \
	  echo "Not audited: this registry does not say which versions have known vulnerabilities (pypi.org does)."; \
	else echo "No known vulnerabilities in $(LOCK)."; fi
	@grep -q '^ARG BASE=.*@sha256:' Dockerfile || \
	  echo "Not pinned: the image's base in Dockerfile has no digest; build with --build-arg BASE=...@sha256:..."

clean:
	rm -rf $(VENV) demo build dist
