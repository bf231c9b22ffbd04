package ringbuf
import "testing"
func solo[T item](b *testing.B) {
	r := NewSPSC[T](slotCount)
	m := new(minimalRing[T])
	b.Run("ours", func(b *testing.B) { for range b.N { for range 256 { writeSPSC(r, 16, 16) }; readSPSC(r, 4096) } 
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4096, "ns/item")})
	b.Run("min", func(b *testing.B) { for range b.N { m.head.Store(0); m.tail.Store(0); m.write(4096,16); m.read(4096) }
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4096, "ns/item")})
}
func BenchmarkSolo(b *testing.B) {
	b.Run("8", solo[[1]uint64])
	b.Run("64", solo[[8]uint64])
}
