/* SPDX-License-Identifier: BSD-2-Clause */
/* What engine shadow keeps: a vCPU's virtual CSR file and shadow tables, and where a VM's memory
 * is. */
#ifndef LIB_ENGINE_SHADOW_STATE_H
#define LIB_ENGINE_SHADOW_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "caldarium/caldarium.h"
#include "lib/engine/common/unit_state.h"

#define S_POOL_PAGES 1024 /* tables of a vCPU, at most */
#define S_POOL_RUN 512    /* of these, as a page holds pointers to */
#define S_SPACES 10       /* guest address spaces that a vCPU keeps tables for */
/* All that engine shadow takes for a VM of one vCPU is a 50th of its RAM at most, or so many bytes.
 */
#define S_BUDGET_SHARE 50
#define S_BUDGET_MIN (2UL << 20)
#define S_FETCH_LINES 16
#define S_NEAR 2        /* tables that a vCPU remembers for the next fence of an address nearby */
#define S_NEIGHBOURS 16 /* entries filled around a missed one: a part of a table, aligned */
#define S_COPIES 1024   /* copies of pages of code that a VM has, at most */
#define S_COPY_USES 2   /* places where a vCPU shows a copy of a page of code, as a rule */
#define S_SOURCES 256   /* runs of entries that a vCPU can tell what they were made from */

#define S_TRAMPOLINES 4
#define S_LEVELS 5

struct exit;
struct s_hart_page;

/* Of a machine: the way in and out (trampoline.c). What a table of each level holds on the way to
 * each trampoline: level 1 is a table of 2 MiB entries. */
struct s_machine {
    uint64_t way[S_TRAMPOLINES][S_LEVELS];
    uint8_t
        apart;      /* levels of the host's root, and of all, where the host lies apart from guests
                       (apart.c); then the first way is the host's entry of the root. 0: it doesn't */
    uint64_t there; /* an address behind that entry */
    uint64_t *last; /* the table of the pages themselves; NULL: there is none */
};

/* Of a hart of the machine. */
struct s_hart {
    const void *last; /* which vCPU ran there last. Its own hart's alone */
    struct s_hart_page *page;
    uint64_t *upper[S_LEVELS]; /* root.c: its own root, and below it the tables to the last GiB, by
                                  their level; all NULL: it shares the host's */
};

struct s_vm {
    uint64_t table_pages;
    bool has_fp, has_vector, has_senvcfg;
    uint8_t levels;                /* that the guest's satp takes at most: 3 or 4 */
    uint32_t scounteren, counters; /* bits that stick; counters that it may read */
    bool adue; /* accessed and dirty bits are set by the walk (Svadu); else it faults (Svade) */
    uint64_t envcfg; /* bits of senvcfg that this VM's guests have */
    struct s_copies *copies;
    bool has_devices; /* that may write to its memory */
};

/* Where a vCPU's tables show a copy of a page of code; `more`: in other places besides. `places`:
 * the guest's page that struct s_place of it are noted for; 0: none; UINT64_MAX: several. */
struct s_copy_use {
    uint64_t *entry[S_COPY_USES];
    uint64_t places;
    bool more;
};

/* A page of code that the vCPU writes to, and the entry by which it can, if it still leads there:
 * copy.c. */
struct s_poke {
    _Atomic uint32_t *page; /* its word; NULL: none */
    uint64_t *entry, leads, gva;
};

/* What a run of shadow entries was made from: source.c. */
struct s_source {
    uint64_t *shadow;             /* the first of `count` entries */
    const _Atomic uint64_t *leaf; /* the guest's that they were made from, as many */
    uint64_t seen[S_NEIGHBOURS];  /* what was read there */
    struct {
        const _Atomic uint64_t *at;
        uint64_t seen;
    } above[3]; /* the guest's entries that lead to these, and what they were */
    uint8_t count, levels;
    uint16_t next; /* in its list; 0: the last */
};

/* All that tables were made from, a list; and the guest's fence since when it is known to be so. */
struct s_made {
    uint16_t sources;
    uint64_t fence;
};

/* One guest address space seen in three ways: what a mode may reach differs by the U bit and SUM.
 */
enum s_view { S_USER, S_KERNEL, S_KERNEL_SUM, S_VIEWS };

struct s_space {
    uint64_t satp;  /* the guest's, ASID included: what the tables are shadows of */
    uint64_t stamp; /* when it was chosen last; 0: free */
    struct {
        uint64_t satp;        /* for the hart; 0: not made yet */
        uint64_t *half[2];    /* only where satp is not 0: see s_vcpu.shared; NULL: none yet */
        uint16_t first, last; /* its pages, linked through s_vcpu.next[] */
        struct s_made made;
        uint64_t place_mark; /* of places noted while it was shown, in noting; 0: none */
    } view[S_VIEWS];
};
#define S_ASIDS (S_SPACES * S_VIEWS) /* so many tell all roots of a vCPU apart */
_Static_assert(S_ASIDS + 1 == CALD_ASIDS, "one more for a host's own root");

/* A page of the guest's kernel text that was executed from: what a hart's instruction TLB is. */
struct s_fetch_line {
    uint64_t page; /* guest-virtual address >> 12; UINT64_MAX: none */
    const uint8_t *va;
    uint16_t copy; /* the number of the one it had when it was noted, and has had since; 0: none */
};

/* A place in the guest kernel's text where a privileged instruction was executed from a copy, and
 * what does it: place_entry.S. */
struct s_place {
    uint64_t tag;      /* guest-virtual address ^ s_vcpu.place_mark; 0: none */
    uint64_t does;     /* code that does it ... */
    uint64_t get, put; /* ... and, for it, gets rs1 or puts rd, and goes on */
};
#define S_PLACES 1024

/* All last-level tables, of whichever view, that have entries for one 2 MiB of guest addresses.
 * Kernels fence the same few addresses again and again. */
struct s_near {
    uint64_t region; /* guest-virtual address >> 21, of no fetch line or place; S_NO_REGION: none */
    uint64_t *table[S_NEAR]; /* one: twice; none: NULL */
};
#define S_NO_REGION UINT64_MAX

/* The last-level table that an entry was made in last, and for what: the next one is often near. */
struct s_last {
    uint64_t region; /* guest-virtual address >> 21; S_NO_REGION: none */
    struct s_space *space;
    uint64_t *table;
    struct s_made *made;
    uint8_t view; /* enum s_view */
    uint8_t whole;
    bool global;
};

/* MODE_NONE: nobody's, or what they were before the guest wrote one. */
enum s_mode { MODE_NONE, MODE_USER, MODE_KERNEL };

/* The hart's registers that each mode of the guest has another value for. */
enum s_mode_csr { S_SCOUNTEREN, S_SENVCFG };

/* CSRs that are no more than places to keep a value, in the order of their numbers. */
enum s_trap_csr { S_SSCRATCH, S_SEPC, S_SCAUSE, S_STVAL, S_TRAP_CSRS };

struct s_vcpu {
    /* From here to near: also place_entry.S's, which finds them by the offsets in
     * lib/engine/common/offsets.h. */
    bool user;       /* the guest is in U-mode; else in S-mode */
    bool due;        /* something is to be looked at before the guest goes on: s_due() */
    bool stale_root; /* mode, SUM, MXR or satp changed: another root may be due */
    /* What the hart has: whose senvcfg and scounteren (enum s_mode), and the root for which view
     * (enum s_view; S_VIEWS: none) of which satp. */
    uint8_t mode_shown, view_shown;
    uint8_t modes_differ;        /* which of mode_csr[] do: a set of enum s_mode_csr */
    bool fp_dirty, vector_dirty; /* changed since load(), although sstatus no longer says so */
    uint64_t satp_shown;

    /*
     * The CSRs as the guest reads them. While the guest runs, sstatus.FS and VS live in the hart's
     * sstatus alone.
     */
    uint64_t sstatus, sie, stvec, scounteren, senvcfg;
    union {
        struct {
            uint64_t sscratch, sepc, scause, stval;
        };
        uint64_t trap_csr[S_TRAP_CSRS]; /* the same four, by enum s_trap_csr */
    };
    uint64_t sip, satp, siselect;
    uint64_t status_writable;       /* bits of sstatus */
    uint64_t root_at_hand[S_VIEWS]; /* for the hart, the roots of satp_shown; 0: to be looked up */
    uint64_t mode_csr[2][2]; /* where mode_shown says one: of user and kernel, enum s_mode_csr */
    struct s_place *place;   /* S_PLACES of them */
    uint64_t place_mark;     /* what is in the tags of those that are good */
    struct s_near near;

    uint64_t place_last; /* the mark that was given out last */
    uint64_t code_low,
        code_end;      /* where fetch lines and places are, guest-virtual, first and last */
    uint64_t timer;    /* deadline of the guest's timer, host time; UINT64_MAX: none */
    uint64_t stimecmp; /* the deadline that passed, while sip has STIP */
    struct exit *exit; /* where s_run() wants the record */

    struct unit_state units;

    /* Shadow tables. Pages come from a pool that is taken when the VM is made. */
    uint64_t **pool[S_POOL_PAGES / S_POOL_RUN]; /* where its pages are, a run of them each */
    uint16_t *next;          /* of each page: the next one in the list it is in, 0: the last */
    unsigned pages;          /* in the pool; page 0 is never given out, and there is none */
    unsigned unused;         /* pages from here on have not been given out since the last flush */
    uint16_t free;           /* pages given back, a list */
    struct s_source *source; /* S_SOURCES of them; the first is never given out */
    unsigned unused_sources; /* as for pages */
    uint16_t free_sources;
    bool noting;        /* each entry has its source: a full fence need not flush */
    uint64_t fence;     /* counts the full fences that flushed nothing, but compared */
    uint64_t old_fills; /* EXIT_HOT_FILL at the last flush of all tables */
    struct s_made shared_made;
    /* The guest's root with what all kernel views have in common: the tables for the lower and the
     * upper half of its addresses, by bit 63; the same one where roots have no more levels. */
    uint64_t *shared[2];
    unsigned shared_levels; /* of that root; 0: it is not made yet */
    bool shared_used[2];    /* there is something in it */
    struct s_space *space;  /* S_SPACES of them, in a page of their own with fetch[] */
    struct s_space *current;
    uint64_t stamp;
    uint64_t gone_seen;          /* of memory.gone_count: so many it has forgotten */
    struct s_fetch_line *fetch;  /* S_FETCH_LINES */
    struct s_copy_use *copy_use; /* of each copy */
    uint16_t copy_shown;         /* the one that is being entered */
    struct s_poke poke;
    struct s_last last;
    uint16_t fetch_local; /* of each, a bit: the guest has not mapped it as global */
    bool places_local;    /* nor the page of some place */
    unsigned trampoline;  /* which of the trampolines holds Caldarium's way in and out */
    uint64_t hole;        /* where that is in its roots: no address of the guest's */
    uint8_t apart;        /* its machine's */
    uint8_t usable;       /* while loaded: a set of the trampolines that its hart has */
    uint64_t own_root;    /* while loaded: satp for Caldarium in a run; 0: the host's own */
    const uint64_t *way;  /* that one's of s_machine.way[] */
    uint8_t levels;       /* of roots for the guest without paging: its VM's */
    uint16_t first_asid;  /* of those that its roots have; 0: none, each change of root flushes */
    struct s_hart_page *page; /* while loaded: its hart's */
    unsigned last_hart;       /* where it ran last, and one; 0: nowhere since its start */
};

#endif
