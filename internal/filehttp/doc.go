// Package filehttp serves what is below /files/: signed addresses at which files are downloaded, and uploaded by the protocol tus 1.0. It speaks HTTP and nothing
// else: what an address is good for, and until when, is the file service's to say.
//
// Bytes pass through in small pieces, at the speed of the slower side. Whatever is served was made by somebody else, so it is
// never shown by a browser: it is an attachment of no particular type, and has no rights of the panel's pages.
package filehttp
