/* From which page a request comes, and whether that one may. */
#ifndef SHARDD_APE_ORIGIN_H
#define SHARDD_APE_ORIGIN_H

/*
 * May a page of this Origin (NULL: it is no browser's page) use what is at this Host?
 * It may if both have the same host, whatever the ports, or the last two labels of their
 * names in common; addresses count as a whole.
 */
int	 origin_may(const char *origin, const char *host);
/* Does the Host name this machine as only its own browsers do? */
int	 origin_is_local(const char *host);

#endif
