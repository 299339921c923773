create table tenancy.public_mail_domains (
    domain text collate "C" not null,
    constraint public_mail_domains_pkey primary key (domain),
    constraint public_mail_domains_domain_folded check (domain = lower(domain) and domain !~ '^[.]|[.]$')
);

alter table tenancy.public_mail_domains enable row level security;

comment on table tenancy.public_mail_domains is
    'The domains where anybody can get an e-mail address. Nobody joins a tenant by them or by their subdomains. Add others with SQL as postgres: that ends joining by them at once.';

insert into tenancy.public_mail_domains (domain) values
    ('10minutemail.com'), ('126.com'), ('139.com'), ('163.com'), ('189.cn'), ('abv.bg'),
    ('aim.com'), ('alice.it'), ('aliyun.com'), ('anonaddy.me'), ('aol.co.uk'), ('aol.com'),
    ('arcor.de'), ('att.net'), ('bellsouth.net'), ('bigpond.com'), ('bk.ru'), ('bluewin.ch'),
    ('bol.com.br'), ('btinternet.com'), ('centrum.cz'), ('charter.net'), ('comcast.net'),
    ('cox.net'), ('daum.net'), ('disroot.org'), ('duck.com'), ('earthlink.net'), ('email.com'),
    ('fastmail.com'), ('fastmail.fm'), ('foxmail.com'), ('free.fr'), ('freenet.de'),
    ('gmail.com'), ('gmx.at'), ('gmx.ch'), ('gmx.com'), ('gmx.de'), ('gmx.net'), ('gmx.us'),
    ('googlemail.com'), ('guerrillamail.com'), ('hanmail.net'), ('hey.com'), ('hotmail.co.uk'),
    ('hotmail.com'), ('hotmail.de'), ('hotmail.es'), ('hotmail.fr'), ('hotmail.it'),
    ('hotmail.nl'), ('hotmail.se'), ('hushmail.com'), ('i.ua'), ('icloud.com'), ('ig.com.br'),
    ('inbox.ru'), ('interia.pl'), ('internet.ru'), ('keemail.me'), ('kpnmail.nl'),
    ('laposte.net'), ('libero.it'), ('list.ru'), ('live.co.uk'), ('live.com'), ('live.de'),
    ('live.fr'), ('live.it'), ('live.nl'), ('live.se'), ('mac.com'), ('mail.com'), ('mail.ru'),
    ('mailbox.org'), ('mailinator.com'), ('me.com'), ('mozmail.com'), ('msn.com'),
    ('myyahoo.com'), ('nate.com'), ('naver.com'), ('o2.pl'), ('onet.pl'), ('optusnet.com.au'),
    ('orange.fr'), ('outlook.co.id'), ('outlook.com'), ('outlook.com.br'), ('outlook.de'),
    ('outlook.es'), ('outlook.fr'), ('outlook.it'), ('outlook.jp'), ('outlook.kr'),
    ('passport.com'), ('planet.nl'), ('pm.me'), ('posteo.de'), ('posteo.net'),
    ('privaterelay.appleid.com'), ('proton.me'), ('protonmail.ch'), ('protonmail.com'),
    ('qq.com'), ('rambler.ru'), ('rediffmail.com'), ('riseup.net'), ('rocketmail.com'),
    ('rogers.com'), ('runbox.com'), ('sbcglobal.net'), ('seznam.cz'), ('sfr.fr'),
    ('sharklasers.com'), ('shaw.ca'), ('simplelogin.com'), ('sina.cn'), ('sina.com'),
    ('sky.com'), ('skynet.be'), ('sohu.com'), ('startmail.com'), ('sympatico.ca'),
    ('t-online.de'), ('talktalk.net'), ('telenet.be'), ('telia.com'), ('temp-mail.org'),
    ('terra.com.br'), ('tiscali.it'), ('trashmail.com'), ('tuta.com'), ('tuta.io'),
    ('tutamail.com'), ('tutanota.com'), ('tutanota.de'), ('ukr.net'), ('uol.com.br'),
    ('usa.com'), ('verizon.net'), ('virgilio.it'), ('virginmedia.com'), ('wanadoo.fr'),
    ('web.de'), ('windowslive.com'), ('wp.pl'), ('ya.ru'), ('yahoo.ca'), ('yahoo.co.in'),
    ('yahoo.co.jp'), ('yahoo.co.uk'), ('yahoo.com'), ('yahoo.com.ar'), ('yahoo.com.au'),
    ('yahoo.com.br'), ('yahoo.com.mx'), ('yahoo.de'), ('yahoo.es'), ('yahoo.fr'), ('yahoo.in'),
    ('yahoo.it'), ('yandex.com'), ('yandex.ru'), ('yeah.net'), ('ymail.com'), ('yopmail.com'),
    ('ziggo.nl'), ('zohomail.com'), ('zohomail.eu');
