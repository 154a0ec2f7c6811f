/* Who is refused at next to no cost. */
#include <sys/socket.h>

#include "common/sock.h"
#include "gatewayd/brush.h"
#include "gatewayd/inlet.h"
#include "gatewayd/totals.h"

#define BRUSH_READ	4096

/* A short answer; closing with the request unread would reset it away. */
static void
brush_answer(int fd)
{
	static const char	 answer[] =
	    "HTTP/1.1 503 Service Unavailable\r\n"
	    "Content-Type: text/plain\r\n"
	    "Content-Length: 20\r\n"
	    "Retry-After: 2\r\n"
	    "Connection: close\r\n"
	    "\r\n"
	    "Service Unavailable\n";
	char			 unread[BRUSH_READ];

	for (int i = 0; i < 16; i++)
		if (recv(fd, unread, sizeof(unread), MSG_DONTWAIT) <= 0)
			break;
	(void)send(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void
brush_off(struct totals *totals, int fd, const struct inlet *inlet,
    enum refusal why)
{
	totals->accepted++;
	totals_refuse(totals, why);
	if (inlet->route == NULL)
		brush_answer(fd);
	sock_end(fd, 0);
}
