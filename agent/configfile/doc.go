// Package configfile rewrites configuration files: given a document, the format that it is in and what is to be replaced,
// it gives the new document. It touches no disk and knows no server.
//
// Whatever is not replaced stays: the order always, comments and spaces where the format's library keeps them (YAML's
// blank lines are the exception). A value always becomes one value of the format: it is quoted as the format asks for,
// so that it can neither add a key nor end the document. A document that cannot be read is an error and stays as it is.
//
// Foreign bytes get here from programs and from people: size, depth and time are bounded, and each format has a fuzz
// target.
package configfile
