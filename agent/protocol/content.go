package protocol

import (
	"errors"
	"net/url"
	"strconv"
	"time"
)

// ContentPath is where the contents of files travel as HTTP bodies: GET answers a file's, PUT replaces it.
const ContentPath = "/files/v1/content"

// ArchivePath answers a POST of an ArchiveRequest in binary protobuf with the archive.
const ArchivePath = "/files/v1/archive"

// UploadPath takes the next bytes of an upload as the body of a PATCH and answers an UploadState in binary protobuf. The query
// has server, upload, offset and, when they are to be checked, checksum: an algorithm (sha1, sha256), a colon and the sum
// in hexadecimal digits. Bytes whose sum is another one are not taken in: the answer is 460.
const UploadPath = "/files/v1/upload"

// StatusChecksum is the answer for bytes that have another checksum than was said.
const StatusChecksum = 460

// UploadLife is how long an upload may rest before the node forgets it.
const UploadLife = 24 * time.Hour

// Content names a file and says how its content is to be written.
type Content struct {
	ServerID string
	// Path is the file's, as in files.proto.
	Path string
	// Mode has the permission bits of what is written; 0 keeps them, or takes 0644.
	Mode uint32
	// Parents makes directories that are missing, New refuses to replace a file.
	Parents, New bool
	// UnmodifiedSince refuses to replace a file that was changed later; zero for no such condition.
	UnmodifiedSince time.Time
}

// Query writes it as the query of a URL.
func (c Content) Query() string {
	v := url.Values{"server": {c.ServerID}, "path": {c.Path}}
	if c.Mode != 0 {
		v.Set("mode", strconv.FormatUint(uint64(c.Mode), 8))
	}
	if c.Parents {
		v.Set("parents", "1")
	}
	if c.New {
		v.Set("new", "1")
	}
	if !c.UnmodifiedSince.IsZero() {
		v.Set("unmodified_since", strconv.FormatInt(c.UnmodifiedSince.UnixMicro(), 10))
	}
	return v.Encode()
}

// ParseContent reads the query of a URL.
func ParseContent(query string) (Content, error) {
	v, err := url.ParseQuery(query)
	if err != nil {
		return Content{}, errors.New("the query is malformed")
	}
	c := Content{ServerID: v.Get("server"), Path: v.Get("path"), Parents: v.Has("parents"), New: v.Has("new")}
	if text := v.Get("mode"); text != "" {
		mode, err := strconv.ParseUint(text, 8, 9)
		if err != nil {
			return Content{}, errors.New("the mode is no octal number of up to three digits")
		}
		c.Mode = uint32(mode)
	}
	if text := v.Get("unmodified_since"); text != "" {
		us, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return Content{}, errors.New("the time is no number of microseconds")
		}
		c.UnmodifiedSince = time.UnixMicro(us)
	}
	return c, nil
}
