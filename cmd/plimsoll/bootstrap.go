package main

import "plimsoll/risk"

// liquidatorAddress is the venue's backstop liquidator, the system address of its documentation
// (page portfolio margin). It takes over what the market does not.
const liquidatorAddress = "0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

type openCommand struct {
	Type    string `json:"type"`
	Account string `json:"account"`
	Mode    string `json:"mode"`
}

// liquidatorFund is what the demo's liquidator has, in USDC: about what the venue's has.
const liquidatorFund = "400000000"

type depositCommand struct {
	Type    string `json:"type"`
	Account string `json:"account"`
	Token   string `json:"token"`
	Amount  string `json:"amount"`
}

type parametersCommand struct {
	Type            string `json:"type"`
	BackstopAccount string `json:"backstop_account"`
}

// openLiquidator opens the liquidator and names it in the parameters, where nobody has an
// account yet: whoever runs a venue of their own names another, or none, and keeps that over
// restarts. A start that ended between the two commands is gone on with.
func (d *daemon) openLiquidator() error {
	var accounts uint64
	var backstop uint32
	_, err := d.engine.Read(0, func(m *risk.Machine) {
		accounts, backstop = uint64(m.AccountCount()), m.Parameters().BackstopAccount
	})
	if err != nil {
		return err
	}
	isOpen := d.dir.Account([]byte(liquidatorAddress)) != risk.NoAccount
	var commands []any
	switch {
	case accounts == 0:
		commands = append(commands, openCommand{"open_account", liquidatorAddress, modePortfolio})
	case accounts > 1 || !isOpen || backstop != risk.NoAccount:
		return nil
	}
	return apply(d, append(commands, parametersCommand{"set_parameters", liquidatorAddress}))
}
