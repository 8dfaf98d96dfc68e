// SPDX-License-Identifier: BSD-2-Clause
//! A host in Rust, `no_std`: a binding of a page, written by hand, and a vCPU's loop on it. On the build machine it runs
//! with an engine whose guest is a script (tests/lib/host_rs.c, which also gives the rest of the host).
#![no_std]

use core::ffi::{c_char, c_int, c_void};
use core::ptr;

#[repr(C)]
pub struct Machine([u8; 0]);
#[repr(C)]
pub struct Vm([u8; 0]);
#[repr(C)]
pub struct Vcpu([u8; 0]);

const NOWHERE: u64 = u64::MAX;
const MACHINE_H: u32 = 1 << 0;
const VM_CONSOLE: u32 = 1 << 1;

#[repr(C)]
pub struct MachineParams {
    harts: u32,
    flags: u32,
    timebase: u64,
    isa: *const c_char,
    vector_bytes: u32,
    kick_identity: u32,
    henvcfg: u64,
    gstage_modes: u32,
    vmid_bits: u32,
    vs_levels: u32,
    satp_levels: u32,
    first_asid: u32,
    asids: u32,
    scounteren: u32,
    counters: u32,
    senvcfg: u64,
    user_senvcfg: u64,
}

#[repr(C)]
pub struct VmParams {
    name: *const c_char,
    owner: *mut c_void,
    vcpus: u32,
    flags: u32,
    engine: c_int,
    irqchip: c_int,
    plic_base: u64,
    aplic_base: u64,
    imsic_base: u64,
    uart_base: u64,
    irq_sources: u32,
    imsic_ids: u32,
    uart_irq: u32,
    gpa_end: u64,
    isa_hidden: *const c_char,
    sbi_hidden: u32,
    sbi_id_count: u32,
    sbi_ids: *const u64,
    mvendorid: u64,
    marchid: u64,
    mimpid: u64,
}

#[repr(C)]
pub struct Exit {
    until: u64,
    gpa: u64,
    value: u64,
    mask: u64,
    extension: u64,
    function: u64,
    args: [u64; 6],
    text: *const c_char,
    csr: u32,
    kind: u32,
    width: u8,
    write: bool,
    off_hart: bool,
}

const AGAIN: c_int = 0;
const WAIT: c_int = 1;
const YIELD: c_int = 2;
const SBI: c_int = 5;
const OFF: c_int = 9;

extern "C" {
    fn cald_machine_create(params: *const MachineParams, owner: *mut c_void, machine: *mut *mut Machine) -> c_int;
    fn cald_machine_destroy(machine: *mut Machine);
    fn cald_vm_create(machine: *mut Machine, params: *const VmParams, vm: *mut *mut Vm) -> c_int;
    fn cald_vm_destroy(vm: *mut Vm);
    fn cald_vm_start(vm: *mut Vm, pc: u64, opaque: u64) -> c_int;
    fn cald_vm_owner(vm: *const Vm) -> *mut c_void;
    fn cald_vm_vcpu(vm: *mut Vm, id: u32) -> *mut Vcpu;
    fn cald_vcpu_run(vcpu: *mut Vcpu, hart: u32, exit: *mut Exit) -> c_int;
    fn cald_vcpu_put(vcpu: *mut Vcpu);
    fn cald_vcpu_complete(vcpu: *mut Vcpu, error: i64, value: u64);
}

/// Called by the library: the guest writes to its console.
static mut WRITTEN: usize = 0;

#[no_mangle]
pub extern "C" fn host_console_write(_vm: *mut Vm, _bytes: *const u8, count: usize) -> usize {
    unsafe { WRITTEN += count };
    count
}

/// The sizes that the C side has to have as well.
#[no_mangle]
pub extern "C" fn rust_sizes(sizes: &mut [usize; 3]) {
    *sizes = [
        core::mem::size_of::<MachineParams>(),
        core::mem::size_of::<VmParams>(),
        core::mem::size_of::<Exit>(),
    ];
}

unsafe fn run(vm: *mut Vm) -> c_int {
    let vcpu = cald_vm_vcpu(vm, 0);
    let mut exit: Exit = core::mem::zeroed();
    loop {
        let why = cald_vcpu_run(vcpu, 0, &mut exit);
        match why {
            AGAIN | WAIT | YIELD => (),
            SBI => cald_vcpu_complete(vcpu, -2, 0),
            _ => {
                cald_vcpu_put(vcpu);
                return why;
            }
        }
    }
}

/// Runs the guest until it is off; how many bytes it wrote, or an error.
#[no_mangle]
pub unsafe extern "C" fn rust_host(pc: u64) -> c_int {
    let mut machine = ptr::null_mut();
    let mut vm = ptr::null_mut();
    let mut told: MachineParams = core::mem::zeroed();
    told.harts = 1;
    told.flags = MACHINE_H;
    told.timebase = 10_000_000;
    told.isa = b"rv64imac\0".as_ptr().cast();
    told.gstage_modes = 1 << 3;
    told.vs_levels = 3;
    let error = cald_machine_create(&told, ptr::null_mut(), &mut machine);
    if error != 0 {
        return error;
    }
    let mut own = 0u32;
    let owner: *mut c_void = ptr::addr_of_mut!(own).cast();
    let mut params: VmParams = core::mem::zeroed();
    params.name = b"crab\0".as_ptr().cast();
    params.owner = owner;
    params.vcpus = 1;
    params.flags = VM_CONSOLE;
    params.plic_base = NOWHERE;
    params.aplic_base = NOWHERE;
    params.imsic_base = NOWHERE;
    params.uart_base = 0x1000_0000;
    params.gpa_end = 1 << 32;
    let mut answer = cald_vm_create(machine, &params, &mut vm);
    if answer == 0 {
        answer = cald_vm_start(vm, pc, 0);
        if answer == 0 {
            answer = if run(vm) == OFF && cald_vm_owner(vm) == owner { WRITTEN as c_int } else { -100 };
        }
        cald_vm_destroy(vm);
    }
    cald_machine_destroy(machine);
    answer
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
