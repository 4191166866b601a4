// An OCI runtime for engines that lack capabilities.
module firedrill/packages/runtime

go 1.24.0
