package agentlink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"connectrpc.com/connect"

	"github.com/catalyst-panel/catalyst/agent/protocol"
	"github.com/catalyst-panel/catalyst/internal/bus"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// maxRelayed bounds a message that goes over the bus to or from another instance, in bytes. In JSON it stays below the
// 1 MiB that NATS takes by default.
const maxRelayed = 700 << 10

// relayed lists the calls that may come from another instance. Handing over desired state is not among them: only the
// instance that holds the link does that.
var relayed = map[string]bool{
	protocol.AgentServiceSendInputProcedure:       true,
	protocol.AgentServiceResetCrashCountProcedure: true,
	protocol.AgentServiceStatsProcedure:           true,
	protocol.FileServiceListFilesProcedure:        true,
	protocol.FileServiceStatFileProcedure:         true,
	protocol.FileServiceSearchFilesProcedure:      true,
	protocol.FileServiceCreateDirectoryProcedure:  true,
	protocol.FileServiceRenameFilesProcedure:      true,
	protocol.FileServiceCopyFilesProcedure:        true,
	protocol.FileServiceChmodFilesProcedure:       true,
	protocol.FileServiceDeleteFilesProcedure:      true,
	protocol.FileServiceLookIntoArchiveProcedure:  true,
	protocol.FileServiceCreateUploadProcedure:     true,
	protocol.FileServiceStatUploadProcedure:       true,
	protocol.FileServiceRemoveUploadProcedure:     true,
}

// relayRequest is one call on its way to the instance that holds the link.
type relayRequest struct {
	Procedure string      `json:"procedure"`
	Header    http.Header `json:"header"`
	Body      []byte      `json:"body"`
}

// relayResponse is the agent's answer to it.
type relayResponse struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

func relaySubject(nodeID string) string { return "link." + nodeID }

// remoteClient returns a client whose calls go to the instance that holds the node's link.
func (l *Link) remoteClient(nodeID string) protocol.AgentServiceClient {
	return newClient(relay{bus: l.cfg.Bus, nodeID: nodeID},
		connect.WithInterceptors(faults{timeout: l.timing.Call}), connect.WithReadMaxBytes(maxRelayed))
}

// remoteFiles is as remoteClient, for calls about files.
func (l *Link) remoteFiles(nodeID string) protocol.FileServiceClient {
	return newFileClient(relay{bus: l.cfg.Bus, nodeID: nodeID},
		connect.WithInterceptors(faults{timeout: l.timing.Call}), connect.WithReadMaxBytes(maxRelayed))
}

// relay sends the HTTP requests of a Connect client over the bus.
type relay struct {
	bus    *bus.Bus
	nodeID string
}

// Do sends one request. Its errors are faults.
func (r relay) Do(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	if !relayed[request.URL.Path] {
		return nil, fault.New(fault.Internal, "This call works on the panel instance that holds the node's link only.")
	}
	body, err := readBounded(request.Body)
	if err != nil {
		return nil, err
	}
	_ = request.Body.Close()
	payload, err := json.Marshal(relayRequest{Procedure: request.URL.Path, Header: request.Header, Body: body})
	if err != nil {
		return nil, fmt.Errorf("encode a call for another instance: %w", err)
	}
	answer, err := r.bus.Call(ctx, relaySubject(r.nodeID), payload)
	if errors.Is(err, bus.ErrNoResponder) {
		return nil, offline().Wrap(err)
	}
	if err != nil {
		return nil, err
	}
	var response relayResponse
	if err := json.Unmarshal(answer, &response); err != nil {
		return nil, fmt.Errorf("decode the answer of another instance: %w", err)
	}
	return &http.Response{
		StatusCode:    response.Status,
		Status:        http.StatusText(response.Status),
		Proto:         "HTTP/2.0",
		ProtoMajor:    2,
		Header:        response.Header,
		Body:          io.NopCloser(bytes.NewReader(response.Body)),
		ContentLength: int64(len(response.Body)),
		Request:       request,
	}, nil
}

// serveInstances makes this session's agent reachable for the other instances.
func (s *session) serveInstances(ctx context.Context) (*bus.Responder, error) {
	return s.link.cfg.Bus.Serve(ctx, relaySubject(s.nodeID), s.relayed)
}

// relayed answers one call of another instance.
func (s *session) relayed(ctx context.Context, payload []byte) ([]byte, error) {
	var call relayRequest
	if err := json.Unmarshal(payload, &call); err != nil {
		return nil, fmt.Errorf("decode a call of another instance: %w", err)
	}
	if !relayed[call.Procedure] {
		return nil, fmt.Errorf("another instance may not call %q", call.Procedure)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, agentOrigin+call.Procedure, bytes.NewReader(call.Body))
	if err != nil {
		return nil, fmt.Errorf("make a call for another instance: %w", err)
	}
	request.Header = call.Header
	answer, err := s.wire.http.RoundTrip(request)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fault.New(fault.Timeout, "The node did not answer in time. Try again.").Wrap(err)
	case err != nil:
		return nil, offline().Wrap(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := readBounded(answer.Body)
	if err != nil && s.ctx.Err() != nil {
		return nil, offline().Wrap(err)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(relayResponse{Status: answer.StatusCode, Header: answer.Header, Body: body})
}

func readBounded(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxRelayed+1))
	if err != nil {
		return nil, fmt.Errorf("read a call's body: %w", err)
	}
	if len(body) > maxRelayed {
		return nil, fault.New(fault.BadUserInput, "That is too much for one call to a node.")
	}
	return body, nil
}
