module crds.tools

go 1.26.0

require (
	github.com/fluxcd/kustomize-controller v1.9.6
	istio.io/api v1.31.4
	sigs.k8s.io/gateway-api v1.6.3
)
