package kernel

// The assembly of this package is written by the program in _generate, which
// is a module of its own. CI runs it and wants no difference.
//
//go:generate go run -C _generate . -family tiles -out ../tiles_amd64.s -stubs ../tiles_stubs_amd64.go -pkg kernel
//go:generate go run -C _generate . -family attention -out ../attention_amd64.s -stubs ../attention_stubs_amd64.go -pkg kernel
//go:generate go run -C _generate . -family transpose -out ../transpose_amd64.s -stubs ../transpose_stubs_amd64.go -pkg kernel
//go:generate go run -C _generate . -family move -out ../move_amd64.s -stubs ../move_stubs_amd64.go -pkg kernel
//go:generate go run -C _generate . -family loops -out ../loops_amd64.s -stubs ../loops_stubs_amd64.go -pkg kernel
//go:generate go run -C _generate . -family rows -out ../rows_amd64.s -stubs ../rows_stubs_amd64.go -pkg kernel
//go:generate go run -C _generate . -family elementary -out ../elementary_amd64.s -stubs ../elementary_stubs_amd64.go -pkg kernel
//go:generate go run -C _generate . -family checksum -out ../checksum_amd64.s -stubs ../checksum_stubs_amd64.go -pkg kernel
