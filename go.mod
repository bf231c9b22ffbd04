module plimsoll

go 1.26

require (
	github.com/holiman/uint256 v1.3.2
	github.com/puzpuzpuz/xsync/v3 v3.5.1
	github.com/shopspring/decimal v1.4.0
	github.com/valyala/fasthttp v1.73.0
	github.com/valyala/fastjson v1.6.10
	go.uber.org/goleak v1.3.0
	pgregory.net/rapid v1.3.0
)

require (
	github.com/andybalholm/brotli v1.2.2 // indirect
	github.com/klauspost/compress v1.19.1 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
)
