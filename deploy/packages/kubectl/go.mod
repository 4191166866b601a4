// Go takes this folder for a module by this file. `1.31.mod`, `1.32.mod` and `1.33.mod` pin what kubectl of each version
// is made of.
module firedrill/packages/kubectl

go 1.24.0
