# The two a newcomer needs are `make demo` and `make test`.

GO ?= go
PYTHON ?= /usr/bin/python3
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME ?= 10s

.PHONY: build demo test race vet fuzz interop levels cross generate bench bench-peers golden

build:
	$(GO) build -o bin/fusectl ./cmd/fusectl

# All eight fusions on the maps of testdata/digits and a trained network, into demo-out/.
demo: build
	./testdata/demo.sh

# Tests make more garbage than programs do: collecting it less often takes a quarter off their time.
test:
	GOGC=400 $(GO) test ./...

# A program built with -race sleeps a second at its end: the scripts run a thousand.
race:
	GORACE=atexit_sleep_ms=0 $(GO) test -race -short ./...

vet:
	test -z "$$(gofmt -l .)"
	$(GO) vet ./...
	GOOS=windows $(GO) vet ./...
	GOOS=darwin GOARCH=arm64 $(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

# The other instruction sets, and the build without assembly; the golden cases run at each of them in `make test`.
levels:
	FUSECTL_CPU=avx2 $(GO) test ./internal/kernel ./internal/ops ./internal/blocks
	FUSECTL_CPU=generic $(GO) test ./internal/kernel ./internal/ops ./internal/blocks
	$(GO) test -tags noasm ./internal/...

cross:
	GOOS=linux GOARCH=arm64 $(GO) build -o /dev/null ./cmd/fusectl
	GOOS=darwin GOARCH=arm64 $(GO) build -o /dev/null ./cmd/fusectl
	GOOS=windows GOARCH=amd64 $(GO) build -o /dev/null ./cmd/fusectl

# Writes the assembly of internal/kernel anew.
generate:
	$(GO) run -C internal/kernel/_generate .

# Every fuzz target for a short time; what they find is kept in testdata/fuzz. One that fails runs again, since Go may report its own
# deadline as a failure; what was found fails the second time, too.
fuzz:
	@for target in $$(grep -rhoE '^func Fuzz[A-Za-z]+' --include='*_test.go' internal cmd | sed 's/func //'); do \
		pkg=$$(grep -rlE "^func $$target\(" --include='*_test.go' internal cmd | xargs dirname); \
		echo "$$target in $$pkg"; \
		fuzz="$(GO) test -run ^Fuzz -fuzz ^$$target\$$ -fuzztime $(FUZZTIME) ./$$pkg"; \
		$$fuzz || $$fuzz || exit 1; \
	done

# NumPy reads what fusectl writes, and the reverse: failing where NumPy is missing.
interop:
	FUSECTL_INTEROP=1 $(GO) test -count=1 -run Interop ./...

bench: build
	$(PYTHON) bench/files.py

# Beside NumPy with OpenBLAS, PyTorch and ONNX Runtime, which it installs: kernels in memory, whole processes, errors.
bench-peers: build
	PYTHON=$(PYTHON) bench/install.sh
	$(GO) build -o bin/kernels ./bench/kernels
	$(PYTHON) bench/peers.py
	$(PYTHON) bench/processes.py
	$(PYTHON) bench/accuracy.py

# Makes testdata/golden, testdata/digits and testdata/network anew, with real NumPy, PyTorch and TensorFlow.js.
golden:
	testdata/make/run.sh
