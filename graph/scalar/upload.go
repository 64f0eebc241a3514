package scalar

import (
	"io"

	"github.com/99designs/gqlgen/graphql"
)

// Upload is a file of a multipart request. It is on its way: nothing of it is kept, so that it can be read once, and in the
// order in which the request has its files.
type Upload struct {
	// Name is what the client calls it, once it is open; it may be anything.
	Name string
	// Open returns the content. The error is a fault when the files are not in order.
	Open func() (io.Reader, error)
}

// MarshalUpload writes null: an upload is never an answer.
func MarshalUpload(*Upload) graphql.Marshaler { return graphql.Null }

// UnmarshalUpload reads an Upload, which only the transport can put into the variables.
func UnmarshalUpload(v any) (*Upload, error) {
	if u, ok := v.(*Upload); ok {
		return u, nil
	}
	return nil, refuse("Send files by a multipart request, or by createUpload; this is null in its operations.")
}
