module plimsoll

go 1.26

require (
	github.com/holiman/uint256 v1.3.2
	github.com/valyala/fastjson v1.6.10
)
