// The container that holds a pod's namespaces.
module firedrill/packages/pause

go 1.24.0
