package agentlink_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/catalyst-panel/catalyst/agent/protocol"
)

// TestDocument keeps the protocol's document in step with the code: what another agent is written from must be true.
func TestDocument(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../../docs/agent-protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	document := string(content)
	field := func(name string) string {
		t.Helper()
		_, rest, ok := strings.Cut(document, "| "+name+" | `")
		value, _, closed := strings.Cut(rest, "`")
		if !ok || !closed {
			t.Fatalf("the test vector lacks its %s", name)
		}
		return value
	}
	seed, err := hex.DecodeString(field("private key seed (hex)"))
	if err != nil {
		t.Fatal(err)
	}
	key := ed25519.NewKeyFromSeed(seed)
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok || base64.StdEncoding.EncodeToString(public) != field("public key (base64)") {
		t.Error("the public key is wrong")
	}
	signature := ed25519.Sign(key, protocol.SigningInput(field("node id"), field("nonce")))
	if got := base64.RawURLEncoding.EncodeToString(signature); got != field("signature (base64url)") {
		t.Errorf("the signature is %s", got)
	}

	wanted := []string{
		protocol.Subprotocol, protocol.ConnectPath, protocol.NoncePath, protocol.EnrolPath, protocol.ContentPath, protocol.ArchivePath, protocol.UploadPath, protocol.AuthScheme + " ",
	}
	for _, service := range []protoreflect.ServiceDescriptor{
		protocol.File_agent_proto.Services().ByName("AgentService"), protocol.File_files_proto.Services().ByName("FileService"),
	} {
		for i := range service.Methods().Len() {
			wanted = append(wanted, "`/"+string(service.FullName())+"/"+string(service.Methods().Get(i).Name())+"`")
		}
	}
	for _, text := range wanted {
		if !strings.Contains(document, text) {
			t.Errorf("the document does not mention %s", text)
		}
	}
}
