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

// SFTPPath answers a POST whose body are the packets of an SFTP client with the packets of the server, as they come. Its
// query is that of an SFTPSession.
const SFTPPath = "/files/v1/sftp"

// SFTPSession says what a session of SFTP may do.
type SFTPSession struct {
	ServerID string
	// Name is what the session is told by in FileActivity, User who it is for people.
	Name, User string
	// Read, Write and Delete are what it may do.
	Read, Write, Delete bool
	// Denied are patterns of files that it may not touch.
	Denied []string
}

// Query writes it as the query of a URL.
func (s SFTPSession) Query() string {
	v := url.Values{"server": {s.ServerID}, "session": {s.Name}, "user": {s.User}, "denied": s.Denied}
	for name, may := range map[string]bool{"read": s.Read, "write": s.Write, "delete": s.Delete} {
		if may {
			v.Set(name, "1")
		}
	}
	return v.Encode()
}

// ParseSFTPSession reads the query of a URL.
func ParseSFTPSession(query string) (SFTPSession, error) {
	v, err := url.ParseQuery(query)
	if err != nil {
		return SFTPSession{}, errors.New("the query is malformed")
	}
	return SFTPSession{
		ServerID: v.Get("server"), Name: v.Get("session"), User: v.Get("user"), Denied: v["denied"],
		Read: v.Has("read"), Write: v.Has("write"), Delete: v.Has("delete"),
	}, nil
}

// BackupPath answers a GET with the archive of a complete backup on the node's disk. The query has server, backup and, when
// it is compressed by gzip, gzip=1.
const BackupPath = "/backups/v1/archive"

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
