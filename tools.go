//go:build tools || generate

// Package main pins the code generators, so that their versions stand in go.mod, and names the commands that
// `go generate` runs. Order matters: ent writes the SDL that gqlgen reads.
package main

//go:generate protoc --proto_path=agent/protocol --go_out=agent/protocol --go_opt=paths=source_relative --connect-go_out=agent/protocol --connect-go_opt=paths=source_relative,package_suffix= agent.proto backups.proto files.proto
//go:generate go run -mod=mod ./ent/entc.go
//go:generate go run github.com/99designs/gqlgen generate

import (
	_ "connectrpc.com/connect/cmd/protoc-gen-connect-go"
	_ "entgo.io/contrib/entgql"
	_ "entgo.io/ent/entc"
	_ "entgo.io/ent/entc/gen"
	_ "github.com/99designs/gqlgen"
	_ "google.golang.org/protobuf/cmd/protoc-gen-go"
)
