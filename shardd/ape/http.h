/* The paths below a mount of api-ape. */
#ifndef SHARDD_APE_HTTP_H
#define SHARDD_APE_HTTP_H

struct kennel_request;

/* A head has come, its body has not. */
void	 http_head(struct kennel_request *q);
/* Answers, connects or streams. */
void	 http_receive(struct kennel_request *q);

#endif
