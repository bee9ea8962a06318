# All ways to build, try and test gatepost. `make` alone lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help check test fuzz deb deb-reproducible system-test newcomer demo bench fleet-ca release

# .ci/setup puts the AWS CLI in a virtual environment under target/ where the machine has none, or one that is too old;
# tpm2-abrmd is in /usr/sbin, which is not on an ordinary user's PATH in Debian.
export PATH := $(CURDIR)/target/awscli/bin:$(PATH):/usr/sbin:/sbin

# The end-to-end tests mostly wait, each with its own environment. Those that take long run beside them (tests/run).
RUST_TEST_THREADS ?= $(shell echo $$((6 * $$(nproc))))
export RUST_TEST_THREADS

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check: setup-check ## format, clippy and unit tests: the quick round while editing
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --manifest-path fuzz/Cargo.toml --target-dir target --locked -- -D warnings
	cargo test --workspace --lib --bins --locked

test: setup-test ## every test: real PKCS#11 token, software TPM, local cloud (with CI set: system-test too)
	cargo build --workspace --bins --locked
	cargo build --manifest-path tests/sdks/rust/Cargo.toml --target-dir target/programs/rust --locked
	@tests/sdks/build
	cargo build --manifest-path tests/mqtt_clients/rust/Cargo.toml --target-dir target/programs/mqtt-rust --locked
	cargo test --workspace --locked --no-run
	@tests/run
	$(if $(CI),$(MAKE) system-test)

fuzz: setup-fuzz ## hostile input for every parser (TARGET="key_uri ...", SECONDS=60 for each, INPUT=FILE)
	@DURATION="$(SECONDS)" INPUT="$(INPUT)" fuzz/run $(TARGET)

deb: setup-deb ## the packages, in target/deb (ARCH="amd64 arm64 armhf")
	@packaging/build $(ARCH)

deb-reproducible: setup-deb ## proves that two builds are one, byte for byte (ARCH=amd64)
	@packaging/reproducible $(ARCH)

# Packages of another architecture only if they are installed.
system-test: ARCH ?= amd64 $(if $(RELEASE),$(sort $(patsubst arm64-programs,arm64,$(filter arm%,$(RELEASE)))),arm64)
# With PACKAGED set they are already in target/deb.
system-test: setup-system-test $(if $(PACKAGED),,deb) ## the package on Debians that boot, as root or with sudo (RELEASE="bookworm trixie tpm tpm-bookworm arm64 ...")
	cargo build --workspace --bins --locked
	@$(if $(filter-out 0,$(shell id -u)),sudo --preserve-env=PACKAGE --preserve-env=KEEP --preserve-env=JOBS) tests/system/run $(RELEASE)

newcomer: setup-newcomer ## what a bare Debian says to somebody new, as root or with sudo (FULL=1: with everything installed)
	@$(if $(filter-out 0,$(shell id -u)),sudo --preserve-env=FULL) tests/newcomer/run $(RELEASE)

demo: setup-demo ## from an empty token to a signed AWS call and a renewal (KEEP=1 leaves it running)
	@KEEP="$(KEEP)" demo/run

fleet-ca: ## the CA of your fleet, for AWS or the local cloud (OUT=, MODE=; config/aws/fleet-ca lists them)
	@config/aws/fleet-ca

release: ## prepares the release of the version in Cargo.toml; CONTRIBUTING.md says what comes before
	@packaging/release

bench: setup-bench ## speed, size and idle cost, each beside its floor
	@bench/run

# The targets that begin with setup- are no files either, but a pattern's targets cannot be in .PHONY.
setup-%: ## install what `make %` needs and this machine lacks: check, test, fuzz, demo, bench, deb, newcomer, ...
	@.ci/setup $* $(if $(filter deb,$*),$(ARCH))
