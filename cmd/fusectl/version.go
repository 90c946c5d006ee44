package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"fusectl/internal/kernel"
)

func newVersionCommand(st *step) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "show the version and which kernels this machine uses",
		Long: `Shows the version and which instruction set the kernels use: avx512, avx2 or
generic. The environment variable FUSECTL_CPU lowers it to one of these.`,
		Example: "  fusectl version",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := st.mustBeLast(); err != nil {
				return err
			}
			version := "unknown"
			if b, ok := debug.ReadBuildInfo(); ok {
				version = b.Main.Version
			}
			_, err := fmt.Fprintf(st.out, "fusectl %s %s %s/%s kernels=%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH, kernel.Active().Name)
			return err
		},
	}
}
