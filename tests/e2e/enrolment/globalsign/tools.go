//go:build tools

// Package globalsign names the program that .ci/setup builds.
package globalsign

import _ "github.com/globalsign/est/cmd/estserver"
