/* Descriptors for the other shards of the node. */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/list.h"
#include "shardd/ape/courier.h"
#include "shardd/kennel.h"

#define COURIER_RETRY_MS	10
#define COURIER_RETRIES		100
#define COURIER_WAITING		1000	/* notes that wait for a retry */

/* A note whose receiver was behind. */
struct courier_late {
	struct list	 at;
	struct courier_note note;
	unsigned	 slot;
	int		 fd, tries;
};

static struct {
	int		 fd;
	struct kennel_watch *watch;
	struct kennel_timer *timer;
	courier_cb	*const *cbs;
	struct list	 late;
	size_t		 nlate;
} courier = { .fd = -1 };

static const char	 courier_digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* The name of a slot's socket, which stands in no directory. */
static socklen_t
courier_address(struct sockaddr_un *sun, unsigned slot)
{
	int	 n;

	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	n = snprintf(sun->sun_path + 1, sizeof(sun->sun_path) - 1,
	    "kennel-ape/%s/%u", kennel_option("run_id"), slot);
	return ((socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
	    (size_t)n));
}

/* One note.  0, or -1 with errno. */
static int
courier_try(unsigned slot, const struct courier_note *n, int fd)
{
	union {
		struct cmsghdr	 h;
		char		 space[CMSG_SPACE(sizeof(int))];
	} control;
	struct sockaddr_un	 to;
	struct iovec		 iov = { (void *)(uintptr_t)n,
				    offsetof(struct courier_note, text) +
				    n->len };
	struct msghdr		 m = { .msg_name = &to, .msg_iov = &iov,
				    .msg_iovlen = 1 };

	m.msg_namelen = courier_address(&to, slot);
	if (fd != -1) {
		memset(&control, 0, sizeof(control));
		control.h.cmsg_level = SOL_SOCKET;
		control.h.cmsg_type = SCM_RIGHTS;
		control.h.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.h), &fd, sizeof(int));
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
	}
	return (sendmsg(courier.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == -1 ? -1 :
	    0);
}

/* Is it worth another try? */
static int
courier_is_behind(void)
{
	return (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ||
	    errno == ETOOMANYREFS || errno == EINTR);
}

/* Try again what could not be sent. */
static void
courier_late_cb(void *arg)
{
	struct courier_late	*l;
	struct list		*e, *tmp;

	(void)arg;
	list_each(e, tmp, &courier.late) {
		l = list_entry(e, struct courier_late, at);
		if (courier_try(l->slot, &l->note, l->fd) == -1 &&
		    courier_is_behind() && ++l->tries < COURIER_RETRIES)
			continue;
		list_remove(&l->at);
		courier.nlate--;
		if (l->fd != -1)
			close(l->fd);
		free(l);
	}
	if (list_empty(&courier.late)) {
		kennel_timer_free(courier.timer);
		courier.timer = NULL;
	}
}

int
courier_send(unsigned slot, struct courier_note *n, int fd)
{
	struct courier_late	*l;

	n->from = kennel_slot();
	if (courier_try(slot, n, fd) == 0)
		return (0);
	if (!courier_is_behind() || courier.nlate >= COURIER_WAITING ||
	    (l = malloc(sizeof(*l))) == NULL)
		return (-1);
	l->note = *n;
	l->slot = slot;
	l->tries = 0;
	l->fd = fd == -1 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	list_push(&courier.late, &l->at);
	courier.nlate++;
	if (courier.timer == NULL)
		courier.timer = kennel_timer_new(COURIER_RETRY_MS, 1,
		    courier_late_cb, NULL);
	return (0);
}

/* What came beside a note: its descriptor, or -1.  *ours: who sent it is our user. */
static int
courier_beside(struct msghdr *m, int *ours)
{
	struct cmsghdr	*c;
	struct ucred	 cred;
	int		 fd = -1;

	*ours = 0;
	for (c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS && fd == -1)
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		if (c->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&cred, CMSG_DATA(c), sizeof(cred));
			*ours = cred.uid == geteuid();
		}
	}
	return (fd);
}

/* Notes have come. */
static void
courier_read_cb(int sock, int events, void *arg)
{
	union {
		struct cmsghdr	 h;
		char		 space[CMSG_SPACE(sizeof(int)) +
				    CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct courier_note	 n;
	struct iovec		 iov = { &n, sizeof(n) };
	struct msghdr		 m;
	ssize_t			 len;
	int			 fd, ours;

	(void)events, (void)arg;
	for (;;) {
		memset(&m, 0, sizeof(m));
		memset(&n, 0, sizeof(n));
		m.msg_iov = &iov;
		m.msg_iovlen = 1;
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		len = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (len == -1)
			return;
		fd = courier_beside(&m, &ours);
		if (ours && (size_t)len >= offsetof(struct courier_note, text) &&
		    (size_t)len == offsetof(struct courier_note, text) + n.len &&
		    n.kind < COURIER_NKINDS && courier.cbs[n.kind] != NULL)
			courier.cbs[n.kind](&n, fd);
		else if (fd != -1)
			close(fd);
	}
}

int
courier_open(courier_cb *const cbs[COURIER_NKINDS])
{
	struct sockaddr_un	 sun;
	socklen_t		 len;
	int			 on = 1;

	if (courier.fd != -1)
		return (0);
	list_init(&courier.late);
	courier.cbs = cbs;
	courier.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	if (courier.fd == -1)
		return (-1);
	len = courier_address(&sun, kennel_slot());
	if (setsockopt(courier.fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) ==
	    -1 || bind(courier.fd, (struct sockaddr *)&sun, len) == -1 ||
	    (courier.watch = kennel_watch(courier.fd, KENNEL_READ,
	    courier_read_cb, NULL)) == NULL) {
		kennel_log_at(KENNEL_LOG_WARN, "ape files do not reach other "
		    "shards: %s", strerror(errno));
		close(courier.fd);
		courier.fd = -1;
		return (-1);
	}
	return (0);
}

void
courier_name(char dst[2], unsigned slot)
{
	dst[0] = courier_digits[slot / 32 % 32];
	dst[1] = courier_digits[slot % 32];
}

int
courier_slot(const char *text, size_t len)
{
	const char	*high, *low;

	if (len < 2 || text[0] == '\0' || text[1] == '\0' ||
	    (high = strchr(courier_digits, text[0])) == NULL ||
	    (low = strchr(courier_digits, text[1])) == NULL)
		return (-1);
	return ((int)(high - courier_digits) * 32 + (int)(low -
	    courier_digits));
}
