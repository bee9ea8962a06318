# Every way to build, try and prove gatepost. `make` alone lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup-test setup-lint setup-demo setup-deb setup-system-test check test deb deb-reproducible system-test demo bench fleet-ca

# .ci/setup puts the AWS CLI in a virtual environment under target/ where the machine has none;
# tpm2-abrmd is in /usr/sbin, which is not on an ordinary user's PATH in Debian.
export PATH := $(PATH):$(CURDIR)/target/awscli/bin:/usr/sbin:/sbin

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup-test: ## install what the tests need and this machine lacks
	@.ci/setup test

setup-lint: ## install what the linters need and this machine lacks
	@.ci/setup lint

setup-demo: ## install what the demo needs and this machine lacks
	@.ci/setup demo

setup-deb: ## install what building the packages needs and this machine lacks
	@.ci/setup deb $(ARCH)

setup-system-test: ## install what booting Debians needs and this machine lacks
	@.ci/setup system-test

check: ## format, clippy and unit tests: the quick round while editing
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo test --workspace --lib --bins --locked

test: setup-test ## every test, against a real PKCS#11 token, a software TPM and the local cloud (with CI set: system-test too)
	cargo build --workspace --bins --locked
	cargo build --manifest-path tests/programs/rust/Cargo.toml --target-dir target/programs/rust --locked
	cargo test --workspace --locked
	$(if $(CI),$(MAKE) system-test)

deb: setup-deb ## the packages, in target/deb (ARCH="amd64 arm64 armhf")
	@packaging/build $(ARCH)

deb-reproducible: setup-deb ## proves that two builds are one, byte for byte (ARCH=amd64)
	@packaging/reproducible $(ARCH)

# Of another architecture's packages only those that are installed.
system-test: ARCH ?= amd64 $(if $(RELEASE),$(sort $(patsubst arm64-programs,arm64,$(filter arm%,$(RELEASE)))),arm64)
system-test: setup-system-test deb ## the package on Debians that boot, as root or with sudo (RELEASE="bookworm trixie tpm tpm-bookworm arm64 ...")
	cargo build --workspace --bins --locked
	@$(if $(filter-out 0,$(shell id -u)),sudo --preserve-env=PACKAGE --preserve-env=KEEP) tests/system/run $(RELEASE)

demo: setup-demo ## from an empty token to a signed AWS call (KEEP=1 leaves it running)
	@KEEP="$(KEEP)" demo/run

fleet-ca: ## the CA of your fleet, for AWS or the local cloud (OUT=, MODE=; config/aws/fleet-ca lists them)
	@config/aws/fleet-ca

bench: setup-demo ## speed, size and idle cost, each beside its floor
	@bench/run
