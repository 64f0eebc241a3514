// Package archive packs parts of a server's files into archives and unpacks archives there. It is the one place that
// reads archives, whose every byte is foreign.
//
// What is packed are files, directories and symbolic links, with their modes and times, in names below a common
// directory. Pipes, sockets and devices are left out, and a hard link is a file of its own.
//
// # What always holds when an archive is unpacked
//
//   - Everything is written through package files into a directory that was made for it outside of everybody's sight, and
//     is moved to its place when the whole archive was good: a bad one leaves nothing, and no link that it brings is ever
//     written through.
//   - An absolute name, and one with "..", NUL or too many bytes, ends it. Symbolic links that lead out, devices and pipes are
//     left out. Hard links become links to what the archive itself has brought.
//   - Set-user, set-group and sticky bits, owners and extended attributes are not taken over.
//   - Limits bound the bytes, the entries, the depth, and the ratio of what comes out to what goes in; what an archive
//     says about its sizes is not believed.
//
// The file service and backups call it.
package archive
