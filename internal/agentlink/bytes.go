package agentlink

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// maxRefusal bounds what is read of an answer that is a refusal, in bytes.
const maxRefusal = 4 << 10

// Files returns a client for calls about the files on a node, as Client does.
func (l *Link) Files(nodeID string) (protocol.FileServiceClient, error) {
	if s := l.session(nodeID); s != nil {
		return s.files, nil
	}
	if l.cfg.Bus.Single() {
		return nil, offline()
	}
	return l.remoteFiles(nodeID), nil
}

// Backups returns a client for calls about the backups on a node whose link this instance holds; of any other node it fails
// with NODE_OFFLINE.
func (l *Link) Backups(nodeID string) (protocol.BackupServiceClient, error) {
	if s := l.session(nodeID); s != nil {
		return s.backups, nil
	}
	return nil, offline()
}

// FilesOver returns a client for calls about files, with faults as errors, over any connection to an agent.
func FilesOver(via connect.HTTPClient, origin string) protocol.FileServiceClient {
	return protocol.NewFileServiceClient(via, origin, connect.WithReadMaxBytes(maxUnaryMessage),
		connect.WithInterceptors(faults{timeout: Timing{}.withDefaults().Call}, quoting{}))
}

// Send makes a request whose body or answer are bytes, such as the content of a file, on the node's link. Its URL needs a
// path and a query only. The answer comes as soon as it begins; its body must be closed, and ends with the link. An
// answer that is a refusal is returned as a fault instead, but for those of conditions and ranges.
func (l *Link) Send(nodeID string, request *http.Request) (*http.Response, error) {
	s := l.session(nodeID)
	if s == nil {
		if !l.cfg.Bus.Single() {
			return nil, fault.New(fault.NodeOffline,
				"The node is offline, or connected to another instance of the panel, through which files must be sent: try again.")
		}
		return nil, offline()
	}
	request = request.Clone(request.Context())
	request.URL.Scheme, request.URL.Host, request.Host = "http", strings.TrimPrefix(agentOrigin, "http://"), ""
	answer, err := s.wire.http.RoundTrip(request)
	if err != nil {
		if ctx := request.Context(); ctx.Err() != nil && s.ctx.Err() == nil {
			return nil, ctx.Err() //nolint:wrapcheck // the caller's own
		}
		return nil, offline().Wrap(err)
	}
	return Answered(answer)
}

// Answered returns an agent's answer to a request whose body or answer are bytes, or the fault that it carries instead.
func Answered(answer *http.Response) (*http.Response, error) {
	switch {
	case answer.StatusCode < http.StatusBadRequest,
		answer.StatusCode == http.StatusPreconditionFailed, answer.StatusCode == protocol.StatusChecksum, answer.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return answer, nil
	}
	defer func() { _ = answer.Body.Close() }()
	return nil, refusal(answer)
}

// codes are the faults that an agent may answer instead of bytes.
var codes = map[int]fault.Code{
	http.StatusNotFound: fault.NotFound, http.StatusBadRequest: fault.BadUserInput, http.StatusConflict: fault.Conflict,
	http.StatusInsufficientStorage: fault.QuotaExceeded, http.StatusGatewayTimeout: fault.Timeout,
	http.StatusServiceUnavailable: fault.NodeOffline,
}

// refusal makes a fault of an answer. What the agent says is foreign text: it is cut and cleaned.
func refusal(answer *http.Response) error {
	var told protocol.ErrorResponse
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxRefusal))
	if err == nil {
		err = json.Unmarshal(body, &told)
	}
	code, known := codes[answer.StatusCode]
	if err != nil || !known || told.Message == "" {
		return fault.New(fault.Internal, "Something went wrong on the node. Try again.").Wrap(errors.Join(err, errors.New(answer.Status)))
	}
	return fault.New(code, "%s", printable(truncate(told.Message, maxText)))
}

// printable replaces what cannot be shown.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
