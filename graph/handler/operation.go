package handler

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/catalyst-panel/catalyst/graph/stream"
	"github.com/catalyst-panel/catalyst/internal/fault"
)

// operation is one that runs on a socket. It is known to the socket as long as its client wants to hear of it.
type operation struct {
	id     string
	cancel context.CancelFunc
}

// subscribe begins an operation.
func (k *socket) subscribe(ctx context.Context, m *message) *verdict {
	k.mu.Lock()
	lived := k.lived
	_, used := k.operations[m.ID]
	full := len(k.operations) >= k.all.limits.Subscriptions && !k.all.handler.config.Unlimited
	k.mu.Unlock()
	if lived == nil {
		return &verdict{closeUnauthorized, "Unauthorized"}
	}
	params, ok := k.params(m)
	switch {
	case !ok:
		return invalid
	case used:
		return &verdict{closeDuplicate, "Subscriber for " + m.ID[:min(len(m.ID), 40)] + " already exists"}
	case full:
		f := fault.New(fault.RateLimited, "This connection runs %d operations. Complete some first.", k.all.limits.Subscriptions)
		_ = k.fail(ctx, m.ID, listOf(k.all.handler.config.Presenter.Present(lived, f))) // who takes no answer fails the next read
		return nil
	}
	ctx = graphql.StartOperationTrace(lived) //nolint:contextcheck // it ends with the credential, too
	exec := k.all.handler.exec
	op, refused := exec.CreateOperationContext(ctx, params)
	ctx = graphql.WithOperationContext(ctx, op)
	if len(refused) > 0 {
		_ = k.fail(ctx, m.ID, exec.DispatchError(ctx, refused).Errors) // as above
		return nil
	}
	k.places <- struct{}{}
	ctx, cancel := context.WithCancel(ctx)
	o := &operation{id: m.ID, cancel: cancel}
	k.mu.Lock()
	k.operations[o.id] = o
	k.mu.Unlock()
	k.running.Go(func() { k.operate(ctx, o, op) })
	return nil
}

// params reads what is asked for.
func (k *socket) params(m *message) (*graphql.RawParams, bool) {
	if m.ID == "" || len(m.ID) > 128 || !object(m.Payload) {
		return nil, false
	}
	var asked struct {
		Query         *string        `json:"query"`
		OperationName string         `json:"operationName"`
		Variables     map[string]any `json:"variables"`
		Extensions    map[string]any `json:"extensions"`
	}
	decoder := json.NewDecoder(bytes.NewReader(m.Payload))
	decoder.UseNumber()
	if decoder.Decode(&asked) != nil || asked.Query == nil {
		return nil, false
	}
	now := graphql.Now()
	return &graphql.RawParams{
		Query: *asked.Query, OperationName: asked.OperationName, Variables: asked.Variables, Extensions: asked.Extensions,
		Headers: k.header, ReadTime: graphql.TraceTiming{Start: now, End: now},
	}, true
}

// operate runs an operation to its end and tells the client how it ended.
func (k *socket) operate(ctx context.Context, o *operation, op *graphql.OperationContext) {
	defer func() {
		o.cancel()
		<-k.places
	}()
	ctx, ending := stream.WithEnding(ctx)
	failed := k.respond(ctx, o, op)
	finished := ctx.Err() == nil
	o.cancel()
	if errs := ending.Errors(); failed == nil {
		failed = errs
	}
	if !k.forget(o) {
		return // the client has completed it, or the socket is closing
	}
	switch {
	case len(failed) > 0:
		_ = k.fail(ctx, o.id, failed) // a connection that takes nothing fails the next read, too
	case finished:
		_ = k.write(ctx, "complete", o.id, nil) // as above
	}
}

// respond sends an operation's responses until there are no more. A panic becomes the error that it returns.
func (k *socket) respond(ctx context.Context, o *operation, op *graphql.OperationContext) (failed gqlerror.List) {
	presenter := k.all.handler.config.Presenter
	defer func() {
		if v := recover(); v != nil {
			failed = listOf(presenter.Present(ctx, presenter.Recover(ctx, v)))
		}
	}()
	next, ctx := k.all.handler.exec.DispatchOperation(ctx, op)
	for {
		response := next(ctx)
		if response == nil || !k.wanted(o) || k.next(ctx, o.id, response) != nil {
			return nil
		}
	}
}

// next sends a response.
func (k *socket) next(ctx context.Context, id string, response *graphql.Response) error {
	payload, err := encode(response)
	if err != nil {
		return err
	}
	return k.write(ctx, "next", id, payload)
}

// fail ends an operation by errors.
func (k *socket) fail(ctx context.Context, id string, errs gqlerror.List) error {
	payload, err := json.Marshal(errs[:min(len(errs), maxErrors)])
	if err != nil {
		return err
	}
	return k.write(ctx, "error", id, payload)
}

// complete ends an operation for its client, who may use the identifier for another at once.
func (k *socket) complete(id string) {
	k.mu.Lock()
	o := k.operations[id]
	delete(k.operations, id)
	k.mu.Unlock()
	if o != nil {
		o.cancel()
	}
}

// wanted reports whether the client wants to hear of an operation still.
func (k *socket) wanted(o *operation) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.operations[o.id] == o
}

// forget takes an operation off the socket and reports whether it was on it.
func (k *socket) forget(o *operation) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.operations[o.id] != o {
		return false
	}
	delete(k.operations, o.id)
	return true
}
