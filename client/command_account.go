package client

// The rarer commands of an exchange and its users.
type (
	// Modify changes the size of a resting order, its price, or both.
	Modify struct {
		Meta
		Account string `json:"account"`
		OrderID string `json:"order_id"`
		Size    string `json:"size,omitempty"`  // that rests from now on; "" = as it is
		Price   string `json:"price,omitempty"` // "" = as it is
	}
	// TriggerOrder says that the price of a stop has come: it rests as an order from now on.
	TriggerOrder struct {
		Meta
		Account string `json:"account"`
		OrderID string `json:"order_id"`
	}
	// IsolatedMargin puts margin into an isolated position, or takes it out: Amount is signed.
	IsolatedMargin struct {
		Meta
		Account string `json:"account"`
		Perp    string `json:"perp"`
		Amount  string `json:"amount"`
	}
	// Supply lends to the pool of a token.
	Supply struct {
		Meta
		Account string `json:"account"`
		Token   string `json:"token"`
		Amount  string `json:"amount"`
	}
	// Unsupply takes back what was lent.
	Unsupply struct {
		Meta
		Account string `json:"account"`
		Token   string `json:"token"`
		Amount  string `json:"amount"`
	}
	// Clock moves engine time to Meta.Time.
	Clock struct {
		Meta
	}
)

// Type returns "modify".
func (Modify) Type() string { return "modify" }

// Type returns "trigger".
func (TriggerOrder) Type() string { return "trigger" }

// Type returns "isolated_margin".
func (IsolatedMargin) Type() string { return "isolated_margin" }

// Type returns "supply".
func (Supply) Type() string { return "supply" }

// Type returns "unsupply".
func (Unsupply) Type() string { return "unsupply" }

// Type returns "clock".
func (Clock) Type() string { return "clock" }
