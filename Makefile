# What a person does with bpfmapd. Each target first installs what it needs, where
# that is missing (scripts/install-*.sh; Debian's packages need root).
SHELL := bash
NPX := npx --no-install
VENV := clients/python/.venv
PYTHON_CLIENT := $(VENV)/bin/python
KERNELS ?= 6.1 6.12
MINUTES ?= 60
HOSTS ?= 1000
SEEDS ?= 10

# Where scripts/install-go.sh puts Go, if it has to.
export PATH := $(CURDIR)/test/.cache/go/bin:$(PATH)

.PHONY: build test test-node test-etcd test-go test-python test-kernels kernel-shell soak simulate demo \
  bench bench-build bench-growth bench-guard bench-python lint lint-python generate fresh audit sbom clean
.DEFAULT_GOAL := build

build: node_modules/.installed     ## compile the daemon, the command line and the client
	$(NPX) tsc -b

test: build                        ## run all tests on real kernel maps
	$(MAKE) --keep-going --no-print-directory test-node test-go test-python

test-node: build $(VENV)/.installed ## run the tests of the daemon and the command line, conformance and examples
	scripts/require-root.sh "make test-node"
	scripts/install-packages.sh bpftool clang etcd faketime libbpf-dev libc-headers openssl python3 \
	  strace systemd-analyze xdp-tools
	scripts/install-grpcurl.sh
	scripts/install-go.sh
	$(NPX) vitest run

test-etcd: build                   ## run the tests of the fleet's store on an etcd newer than Debian's
	scripts/install-packages.sh openssl
	scripts/install-go.sh
	scripts/build-etcd.sh test/.cache/etcd
	BPFMAPD_ETCD=$(CURDIR)/test/.cache/etcd $(NPX) vitest run test/fleet/store/etcd

test-go: build                     ## run the tests of the Go client
	scripts/require-root.sh "make test-go"
	scripts/install-packages.sh bpftool gcc libc-headers
	scripts/install-go.sh
	scripts/test-go.sh

test-python: build $(VENV)/.installed ## run the tests of the Python client
	scripts/require-root.sh "make test-python"
	scripts/install-packages.sh ip openssl
	mkdir -p test/.tmp
	$(PYTHON_CLIENT) -m pytest -c clients/python/pyproject.toml --rootdir clients/python \
	  --basetemp test/.tmp/python --junitxml test/.tmp/python.xml clients/python/tests

test-kernels: build                ## run test/kernels on Debian's kernels in QEMU; TESTS=word for some
	scripts/require-root.sh "make test-kernels"
	scripts/install-packages.sh bpftool qemu busybox-static cpio
	TESTS="$(TESTS)" scripts/kernels/test.sh $(KERNELS)

kernel-shell: build                ## a shell on one of these kernels; KERNELS=6.1
	scripts/require-root.sh "make kernel-shell"
	scripts/install-packages.sh bpftool qemu busybox-static cpio
	scripts/kernels/test.sh --shell $(KERNELS)

soak: build                        ## mixed load, restarts and cuts for MINUTES=60
	scripts/require-root.sh "make soak"
	BPFMAPD_SOAK_MINUTES=$(MINUTES) $(NPX) vitest run test/soak

simulate: build                    ## simulated fleets of HOSTS=1000 hosts, SEEDS=10 of them, the first by SEED=n
	BPFMAPD_SIMULATE_HOSTS=$(HOSTS) BPFMAPD_SIMULATE_SEEDS=$(SEEDS) \
	  $(if $(SEED),BPFMAPD_MODEL_SEED=$(SEED)) $(NPX) vitest run test/fleet/simulator

demo: build                        ## walk through the command line, then a million elements
	scripts/require-root.sh "make demo"
	scripts/install-packages.sh bpftool
	demo/run.sh

bench: bench-build $(VENV)/.installed ## measure beside bpftool, C and Go; CASE='dump-go-*' for some cases
	scripts/require-root.sh "make bench"
	node bench/.build/main.js $(if $(CASE),'$(CASE)')

bench-guard: bench-build           ## fail where work costs more than it did, beside a peer; UPDATE=yes to write anew
	scripts/require-root.sh "make bench-guard"
	node bench/.build/guard.js $(if $(UPDATE),--update)

bench-growth: bench-build          ## how costs grow with elements, maps, watchers; CASE=name for one cause
	scripts/require-root.sh "make bench-growth"
	node bench/.build/growth.js $(CASE)

bench-build: build bench/.build/peers ## compile the bench and its peers
	scripts/install-packages.sh bpftool openssl
	scripts/install-go.sh
	cd bench/go && go build -o ../.build/go/ ./...
	$(NPX) tsc -p bench

bench-python: build $(VENV)/.installed ## measure the Python client
	scripts/require-root.sh "make bench-python"
	$(PYTHON_CLIENT) clients/python/bench/bench.py

lint: build lint-python            ## every check that runs nothing
	scripts/install-packages.sh shellcheck
	scripts/install-go.sh
	npm run --silent lint
	$(NPX) tsc -p tsconfig.test.json
	$(NPX) tsc -p examples/typescript-mirror --noEmit
	shellcheck .ci/run scripts/*.sh scripts/kernels/* demo/*.sh bench/peers/*.sh clients/python/scripts/*.sh
	scripts/lint-go.sh
	scripts/check-contract.sh

lint-python: $(VENV)/.installed    ## format, lint and types of the Python client and what uses it
	$(VENV)/bin/ruff format --check clients/python examples bench/clients
	$(VENV)/bin/ruff check clients/python examples bench/clients
	cd clients/python && .venv/bin/mypy
	cd examples/python-counters && ../../$(VENV)/bin/mypy

generate: node_modules/.installed $(VENV)/.installed ## write the generated code and reference anew
	scripts/install-go.sh
	node scripts/etcd-protos.mjs
	npm run --silent generate
	$(PYTHON_CLIENT) clients/python/scripts/generate.py
	$(NPX) tsc -b
	node scripts/map-types.mjs >docs/map-types.md
	npm run --silent generate --workspace scripts/typescript-reference
	go run -C clients/go/tools ./reference >docs/reference/go.md
	$(PYTHON_CLIENT) clients/python/scripts/reference.py >docs/reference/python.md

fresh: generate                    ## fail where what is generated is not what git has
	scripts/check-unchanged.sh clients/typescript/src/gen src/rpc/gen src/fleet/store/gen \
	  third_party/proto/etcd clients/go/gen bench/go/gen clients/python/src/bpfmapd/_gen \
	  docs/map-types.md docs/reference

audit: node_modules/.installed     ## fail where a dependency that ships has a known vulnerability
	node scripts/audit.mjs

sbom:                              ## write the software bill of materials
	scripts/sbom.sh dist/bpfmapd.cdx.json

clean:                             ## remove everything that was built
	rm -rf dist clients/typescript/dist clients/python/dist bench/.build test/.tmp

node_modules/.installed: package-lock.json
	scripts/install-npm.sh
	touch $@

$(VENV)/.installed: clients/python/requirements-dev.txt clients/python/requirements-test.txt clients/python/pyproject.toml
	scripts/install-python.sh
	touch $@

bench/.build/peers: $(wildcard bench/peers/*.c bench/peers/*.h)
	scripts/install-packages.sh gcc libc-headers
	bench/peers/build.sh $@
	touch $@
