package bpfmap

import bpfmapv1 "github.com/bpfmapd/bpfmapd/clients/go/gen/bpfmap/v1"

// CPUView is how a per-CPU value is read as a single one. The zero value reads all
// slots, as a slice.
type CPUView struct{ proto *bpfmapv1.CpuView }

// CPUTarget is how a per-CPU value is written from a single one. The zero value writes
// all slots, from a slice.
type CPUTarget struct{ proto *bpfmapv1.CpuTarget }

// CPUFold says how the slots of a per-CPU value become one: word by word.
type CPUFold = bpfmapv1.CpuFold

// The ways to fold. Sums wrap around.
const (
	// SumU32 is the sum of each 32-bit word over the CPUs.
	SumU32 = bpfmapv1.CpuFold_CPU_FOLD_SUM_U32
	// SumU64 is the sum of each 64-bit word over the CPUs.
	SumU64 = bpfmapv1.CpuFold_CPU_FOLD_SUM_U64
	// MaxU32 is the largest of each 32-bit word over the CPUs.
	MaxU32 = bpfmapv1.CpuFold_CPU_FOLD_MAX_U32
	// MaxU64 is the largest of each 64-bit word over the CPUs.
	MaxU64 = bpfmapv1.CpuFold_CPU_FOLD_MAX_U64
)

// ReadCPU reads one CPU's slot, named by CPU number.
func ReadCPU(cpu uint32) CPUView {
	return CPUView{&bpfmapv1.CpuView{View: &bpfmapv1.CpuView_Cpu{Cpu: cpu}}}
}

// Folded reads all slots folded into one, on the host.
func Folded(fold CPUFold) CPUView {
	return CPUView{&bpfmapv1.CpuView{View: &bpfmapv1.CpuView_Fold{Fold: fold}}}
}

// WriteCPU writes one CPU's slot, named by CPU number; the others keep theirs.
func WriteCPU(cpu uint32) CPUTarget {
	return CPUTarget{&bpfmapv1.CpuTarget{Target: &bpfmapv1.CpuTarget_Cpu{Cpu: cpu}}}
}

// WriteAllCPUs writes the same value to every slot.
func WriteAllCPUs() CPUTarget {
	return CPUTarget{&bpfmapv1.CpuTarget{Target: &bpfmapv1.CpuTarget_AllCpus{AllCpus: true}}}
}
