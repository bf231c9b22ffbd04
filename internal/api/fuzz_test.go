package api

import (
	"bytes"
	"testing"

	"plimsoll/risk"
)

// FuzzDecodeCommands holds that no body makes the decoder panic, that a refused body
// gives out no slot, and that what is accepted survives the binary form unchanged.
func FuzzDecodeCommands(f *testing.F) {
	for _, c := range badInputs {
		if len(c.body) < 4096 {
			f.Add([]byte(c.body), byte(FormJSON))
		}
	}
	f.Add([]byte(orderBody), byte(FormJSON))
	f.Add([]byte("["+orderBody+","+tokenBody+"]"), byte(FormJSON))
	f.Add([]byte(orderBody+"\n\n"+tokenBody+"\r\n"), byte(FormLines))
	d := NewDecoder(testDirectory())
	f.Fuzz(func(t *testing.T, body []byte, form byte) {
		d.dir = testDirectory()
		before := d.dir.AccountCount()
		if err := d.Decode(body, Form(form%2), 1); err != nil {
			if len(d.Records()) != 0 || d.dir.AccountCount() != before {
				t.Fatalf("a refused body left %d records, %d accounts", len(d.Records()), d.dir.AccountCount())
			}
			return
		}
		var wire []byte
		for i := range d.Records() {
			wire = risk.AppendCommand(wire, &d.Records()[i])
		}
		checkWire(t, d.dir, wire)
	})
}

// FuzzDecodeBinary holds that no body makes the binary decoder panic, and that decoding is
// the identity on what it has decoded.
func FuzzDecodeBinary(f *testing.F) {
	seed := NewDecoder(testDirectory())
	for _, body := range []string{orderBody, tokenBody, perp(`[{"lower_bound":"0","max_leverage":25}]`)} {
		if err := seed.Decode([]byte(body), FormJSON, 0); err != nil {
			f.Fatal(err)
		}
		var wire []byte
		for i := range seed.Records() {
			wire = risk.AppendCommand(wire, &seed.Records()[i])
		}
		f.Add(wire)
	}
	d := NewDecoder(testDirectory())
	f.Fuzz(func(t *testing.T, body []byte) {
		d.dir = testDirectory()
		if err := d.Decode(body, FormRecords, 1); err != nil {
			return
		}
		var wire []byte
		for i := range d.Records() {
			wire = risk.AppendCommand(wire, &d.Records()[i])
		}
		if len(wire) != len(body) {
			t.Fatalf("%d bytes become %d", len(body), len(wire))
		}
		checkWire(t, d.dir, wire)
	})
}

// checkWire wants decoding wire to give wire. A head that lost its slot to another name
// is the one thing that may change: it then asks for a new one.
func checkWire(t *testing.T, dir *Directory, wire []byte) {
	t.Helper()
	again := NewDecoder(dir)
	if err := again.Decode(wire, FormRecords, 1); err != nil {
		t.Fatalf("decoded records are refused: %v", err)
	}
	var got []byte
	for i := range again.Records() {
		got = risk.AppendCommand(got, &again.Records()[i])
	}
	var head risk.Command
	for i := 0; i < len(wire); i += risk.CommandSize {
		risk.DecodeCommand(wire[i:], &head)
		isListing := head.Kind >= risk.KindListToken && head.Kind <= risk.KindImportAccount && head.Kind != risk.KindSetParameters
		if !isListing && !bytes.Equal(got[i:i+risk.CommandSize], wire[i:i+risk.CommandSize]) {
			t.Fatalf("record %d changes:\n%x\n%x", i/risk.CommandSize, wire[i:i+risk.CommandSize], got[i:i+risk.CommandSize])
		}
	}
}
