module firedrill.ci/prometheus

go 1.26

require github.com/prometheus/prometheus v0.312.0
