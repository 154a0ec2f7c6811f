/* What a process of ours may no longer do once it is executed. */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cap-ng.h>
#include <seccomp.h>

#include "common/bytes.h"
#include "common/sanitized.h"
#include "gatewayd/jail.h"

/* landlock(7): what older headers do not have. */
#define JAIL_MAKE_BLOCK		(1 << 11)
#define JAIL_SCOPE_SIGNAL	(1 << 1)
#define JAIL_RULES_VERSION	(1 << 0)
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset	444
#define SYS_landlock_restrict_self	446
#endif

struct jail_ruleset {
	uint64_t	 fs, net, scoped;
};

static const int jail_calls[] = {
	/* other processes */
#if !SANITIZED
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
#endif
	SCMP_SYS(kcmp), SCMP_SYS(pidfd_getfd), SCMP_SYS(process_madvise),
	SCMP_SYS(perf_event_open),
	/* the file system, and other views of it */
	SCMP_SYS(mount), SCMP_SYS(umount), SCMP_SYS(umount2),
	SCMP_SYS(mount_setattr), SCMP_SYS(move_mount), SCMP_SYS(open_tree),
	SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount),
	SCMP_SYS(fspick), SCMP_SYS(pivot_root), SCMP_SYS(chroot),
	SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(open_by_handle_at),
	SCMP_SYS(name_to_handle_at), SCMP_SYS(quotactl), SCMP_SYS(acct),
	SCMP_SYS(swapon), SCMP_SYS(swapoff),
	/* the kernel */
	SCMP_SYS(bpf), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
	SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key),
	SCMP_SYS(userfaultfd), SCMP_SYS(syslog),
	SCMP_SYS(lookup_dcookie), SCMP_SYS(reboot), SCMP_SYS(iopl),
	SCMP_SYS(ioperm), SCMP_SYS(vhangup),
	/* the machine's name and time */
	SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime), SCMP_SYS(clock_adjtime), SCMP_SYS(adjtimex),
};

static int		 jail_caps(void);
static int		 jail_domain(void);
static scmp_filter_ctx	 jail_rules(void);
static struct sock_fprog *jail_read(int);

struct sock_fprog *
jail_filter(void)
{
	struct sock_fprog	*filter = NULL;
	scmp_filter_ctx		 rules;
	unsigned		 action = SECCOMP_RET_ERRNO;
	int			 fd = -1, rc;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == -1) {
		errno = ENOSYS;
		return (NULL);
	}
	if ((rules = jail_rules()) == NULL)
		return (NULL);
	if ((fd = memfd_create("filter", MFD_CLOEXEC)) == -1)
		goto out;
	if ((rc = seccomp_export_bpf(rules, fd)) != 0)
		errno = -rc;
	else
		filter = jail_read(fd);
	close(fd);
out:
	seccomp_release(rules);
	return (filter);
}

void
jail_free(struct sock_fprog *filter)
{
	if (filter != NULL)
		free(filter->filter);
	free(filter);
}

int
jail_enter(const struct sock_fprog *filter)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 || jail_caps() == -1)
		return (-1);
	if (filter == NULL)
		return (0);
	if (jail_domain() == -1)
		return (-1);
	return ((int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter));
}

int
jail_has_domains(void)
{
	return (syscall(SYS_landlock_create_ruleset, NULL, 0,
	    JAIL_RULES_VERSION) > 0);
}

/* What exec gives no more: no capability is inherited, and root's are few. */
static int
jail_caps(void)
{
	if (capng_get_caps_process() != 0)
		goto bad;
	for (unsigned i = 0; i <= CAP_LAST_CAP; i++)
		capng_update(CAPNG_DROP, CAPNG_INHERITABLE, i);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		goto bad;
	/* A process that is not root may not, and gets none by exec. */
	capng_clear(CAPNG_SELECT_BOUNDS | CAPNG_SELECT_AMBIENT);
	capng_update(CAPNG_ADD, CAPNG_BOUNDING_SET, CAP_DAC_READ_SEARCH);
	(void)capng_apply(CAPNG_SELECT_BOUNDS);
	(void)capng_apply(CAPNG_SELECT_AMBIENT);
	return (0);
bad:
	errno = EPERM;
	return (-1);
}

/*
 * A landlock domain of its own: whoever is in one may not look into a process
 * that is in another or in none, nor (Linux 6.12) send it a signal.  0, also
 * where the kernel has no landlock.
 */
static int
jail_domain(void)
{
	struct jail_ruleset	 rules = { .scoped = JAIL_SCOPE_SIGNAL };
	size_t			 size = sizeof(rules);
	int			 fd, r;

	if (!jail_has_domains())
		return (0);
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
	if (fd == -1) {
		/* This landlock knows of files only: forbid what nobody
		 * needs. */
		rules = (struct jail_ruleset){ .fs = JAIL_MAKE_BLOCK };
		size = sizeof(rules.fs);
		fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size,
		    0);
	}
	if (fd == -1)
		return (-1);
	r = (int)syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
	return (r);
}

static scmp_filter_ctx
jail_rules(void)
{
	const struct scmp_arg_cmp	 new_user = SCMP_A0(SCMP_CMP_MASKED_EQ,
					    CLONE_NEWUSER, CLONE_NEWUSER);
	scmp_filter_ctx			 rules;
	int				 rc;

	if ((rules = seccomp_init(SCMP_ACT_ALLOW)) == NULL) {
		errno = ENOMEM;
		return (NULL);
	}
	/* Another machine's calls would pass under other numbers. */
	rc = seccomp_attr_set(rules, SCMP_FLTATR_ACT_BADARCH,
	    SCMP_ACT_ERRNO(EPERM));
	for (size_t i = 0; rc == 0 && i < nitems(jail_calls); i++)
		rc = seccomp_rule_add(rules, SCMP_ACT_ERRNO(EPERM),
		    jail_calls[i], 0);
	if (rc == 0)
		rc = seccomp_rule_add_array(rules, SCMP_ACT_ERRNO(EPERM),
		    SCMP_SYS(clone), 1, &new_user);
	/* Its flags cannot be seen; without it, libc uses clone. */
	if (rc == 0)
		rc = seccomp_rule_add(rules, SCMP_ACT_ERRNO(ENOSYS),
		    SCMP_SYS(clone3), 0);
	if (rc == 0)
		return (rules);
	seccomp_release(rules);
	errno = -rc;
	return (NULL);
}

/* The program in fd, for the kernel. */
static struct sock_fprog *
jail_read(int fd)
{
	struct sock_fprog	*filter;
	struct stat		 st;

	if (fstat(fd, &st) == -1 ||
	    (filter = calloc(1, sizeof(*filter))) == NULL)
		return (NULL);
	if ((filter->filter = malloc((size_t)st.st_size)) == NULL ||
	    pread(fd, filter->filter, (size_t)st.st_size, 0) != st.st_size) {
		jail_free(filter);
		return (NULL);
	}
	filter->len = (unsigned short)((size_t)st.st_size /
	    sizeof(*filter->filter));
	return (filter);
}
