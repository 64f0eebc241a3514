// Package fileserver answers the panel's calls about files on a node: it is the protocol.FileServiceHandler, and serves
// contents as HTTP bodies at protocol.ContentPath. It holds no state: what is allowed on a path, and what a name stands for,
// is package files' to say, and who may do it was decided by the panel.
package fileserver
