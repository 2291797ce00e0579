# What a person does with bpfmapd. Each target first installs what it needs, where
# that is missing (scripts/install-*.sh; Debian's packages need root).
SHELL := bash
NPX := npx --no-install
KERNELS ?= 6.1 6.12

.PHONY: build test test-kernels kernel-shell demo bench lint fresh generate clean
.DEFAULT_GOAL := build

build: node_modules/.installed     ## compile the daemon, the command line and the client
	$(NPX) tsc -b

test: build                        ## run all tests on real kernel maps
	scripts/require-root.sh "make test"
	scripts/install-packages.sh bpftool clang
	scripts/install-grpcurl.sh
	$(NPX) vitest run

test-kernels: build                ## run test/kernels on Debian's kernels in QEMU; TESTS=word for some
	scripts/require-root.sh "make test-kernels"
	scripts/install-packages.sh bpftool qemu busybox-static cpio
	TESTS="$(TESTS)" scripts/kernels/test.sh $(KERNELS)

kernel-shell: build                ## a shell on one of these kernels; KERNELS=6.1
	scripts/require-root.sh "make kernel-shell"
	scripts/install-packages.sh bpftool qemu busybox-static cpio
	scripts/kernels/test.sh --shell $(KERNELS)

demo: build                        ## walk through the command line, then a million elements
	scripts/require-root.sh "make demo"
	scripts/install-packages.sh bpftool
	demo/run.sh

bench: build bench/.build/peers    ## measure beside bpftool and C; CASE=name for one case
	scripts/require-root.sh "make bench"
	scripts/install-packages.sh bpftool
	$(NPX) tsc -p bench
	node bench/.build/main.js $(CASE)

lint: build                        ## every check that runs nothing
	scripts/install-packages.sh shellcheck
	npm run --silent lint
	$(NPX) tsc -p tsconfig.test.json
	shellcheck .ci/run scripts/*.sh scripts/kernels/* demo/*.sh bench/peers/*.sh
	scripts/check-contract.sh

generate: node_modules/.installed  ## write the generated code anew from proto/
	npm run --silent generate

fresh: generate                    ## fail where the generated code is not what proto/ says
	scripts/check-unchanged.sh clients/typescript/src/gen src/rpc/gen

clean:                             ## remove everything that was built
	rm -rf dist clients/typescript/dist bench/.build test/.tmp

node_modules/.installed: package-lock.json
	scripts/install-npm.sh
	touch $@

bench/.build/peers: $(wildcard bench/peers/*.c bench/peers/*.h)
	scripts/install-packages.sh gcc libc-headers
	bench/peers/build.sh $@
	touch $@
