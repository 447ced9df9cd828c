//go:build tools

// Names what is built here: the real Prometheus, with no service discovery but Kubernetes'.
package tools

import _ "github.com/prometheus/prometheus/cmd/prometheus"
