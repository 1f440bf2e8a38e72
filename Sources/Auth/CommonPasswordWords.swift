/// The words that common passwords are made of: alone, with digits or signs around them, reversed, cut at eight characters,
/// in l33t spelling. Lower case, separated by white space; `CommonPasswords` has the rules.
enum CommonPasswordWords {
    /// Passwords that are whole phrases or habits of the keyboard which no rule gives.
    static let phrases = """
        .kbz 0.0.0.000 00001111 10101010 11110000 11112222 112233 11235813 1123581321 12301230 12312312 1232323q 123698741
        123698745 123abc 123asd 123qwe 123qwe123 123qweasd 12qw34er 12qwaszx 13131313 1314520 134679852 1357908642 135792468
        1357924680 135798642 147147147 14785236 1478963 14789632 159753 15975346 1g2w3e4r 1qw23er4 20202020 22221111 22446688
        27182818 31415926 314159265 3141592654 321321321 4815162342 5201314 52013140 5845201314 7777777 789632145 8675309
        963852741 987412365 a123456 a5201314 aa123456 aaa111 abc123 abcd123 abracadabra access accessdenied adgangskode adgjmptw
        admin adminadmin administrador administrator adminpass aini1314 anhyeuem anybody anyone anything asd123asd asdf asdfasdf
        asdfg asdfghj asdfjkl asdqwe asshole azerty azertyui azertyuiop babyblue babyboy babycakes babydoll babyface babygirl
        babylove badass badboy badgirl badman bastard benvenuto bhbyf bienvenido bienvenue bigbang bigben bigbird bigblack
        bigboy bigdaddy bigdog bigfoot biggest bigguy bigjohn bigmac bigman bigmike bigmoney bigred bigtime bitch bkmz bonjour
        bujhm bullshit bynthytn cdtnkfyf cegthgfhjkm cfitymrf changeit changeme changenow changethis ciao ciaociao cjkysirj
        cjkywt cnfybckfd contrasena crjhgbjy ctdfcnjgjkm cthutq dbrnjhbz default defaultpass dfcbkbcf dfkthbq dfktynby dfktynbyf
        dickhead djljktq dkflbckfd dkflbvbh dontcare dontknow dthjybrf dtkjcbgtl dtxyjcnm enternow everybody everything fgtkmcby
        fkbyjxrf fktrcfylh fktrcfylhf fktrctq fktyf flvbybcnhfnjh forget forgot forgotten freepass freeuser fucker fuckit fuckme
        fuckoff fuckthis fuckyou fyfcnfcbz fyfnjkbq fylhtq fylhtqrf fynjy fyutkbyf fyutkjxtr gbhfvblf gecnzr geheim geheimnis
        gfhjkm gfhjkm123 gfhjkmgfhjkm gfitymrf ghbdtn ghbdtnbr ghblehjr ghbywtccf ghjcnbnenrf ghjcnj ghjcnjgfhjkm ghjcnjnfr
        ghjuhfvvf goodbye goodday goodluck goodluck2 goodmorning goodnight gtnhjdbx guest guestguest guestuser guten gutentag
        haslo hello hellohello hellokitty helloworld helloyou hellyeah heslo hfcgbplzq hithere hjvfy hola holahola howareyou
        htubcnhfwbz ichliebedich idontcare idontknow idunno iforget iforgot ilikepie ilovegod iloveher ilovehim ilovejesus
        iloveme ilovemom ilovemyself iloveu iloveyou iloveyou2 iloveyouso iloveyousomuch iluvu iluvyou imissyou jelszo jetaime
        jiggaman jktxrf jrcfyf k.,bvfz k.,jdm kjrjvjnbd leavemealone letmein letmeinnow lfitymrf liebe ljxtymrf login loginlogin
        logmein losenord lovebird lovebug lovehurts lovelife loveme loverboy lovergirl lovers loveyou lvbnhbq mailcreated5240
        mazafaka missyou motdepass motdepasse motherfucker mypassword newpassword nfnmzyf nihao nobody nopass nopassword nothing
        nthvbyfnjh ntktdbpjh oldpassword opensaysme opensesame openup parola passw password password's passwords passwort pfqxbr
        please q1w2e3 qazwsx qazwsxedc qq123456 qwaszx qwe123qwe qweasd qweasdzxc qwert qwerty qwertz qwertzui qwertzuiop rbhbkk
        rcfywtdfz remember rememberme rfhfvtkmrf rfhfylfi rfhnjirf rfnthbyf rfntymrf rfvfcenhf rhbcnbyf rhfcfdbwf rhfcjnrf
        rhjrjlbk rhtdtlrj rjhjktdf rjirfrgbde rjycnfynby rootpass rootroot salasana schatz secret secreto senha shithead signin
        somebody someone something sorry superuser sysadmin teamo teamomucho tempass temporary temppass temppassword tequiero
        tequieromucho test tester testing testme testpass testtest testuser thanks thankyou thepassword tiamo tiamotanto
        tkbpfdtnf toor trfnthbyf trustno1 trustnoone user username userpass vbifkmaf vfhbyf vfhufhbnf vfitymrf vfksi vfntvfnbrf
        vfrcbv vfrcbvrf vfvekz vfvfgfgf vjqgfhjkm vqsablpzla wachtwoord wassup wdtnjxtk wdtnjxtr webadmin webmaster welcome
        welcomehome whateva whatever whatsup whocares whoknows willkommen woaini woaini1314 woaini520 woaini521 wodemima
        wordpass xswzaq yeahbaby yfcntyf yfcntymrf yfnfif yfnfkmz yjdsqgfhjkm zaqwsx zaqxsw zaqxswcde zxcasdqwe zxcvb zxcvbn
        """

    /// What people are called.
    static let names = """
        aaron abby abigail abraham adam adrian adriana adriano adrienne agnes aidan aimee alan albert alberto alejandra
        alejandro alessandro alessia alex alexa alexander alexandr alexandra alexandre alexandria alexia alexis alfred alfredo
        alice alicia alina alison alissa allen allison alyssa amanda amandine amber amelia amy ana anabel anastasia anderson
        andre andrea andreas andreea andrei andreita andrew andrey andy angel angela angelica angelika angelina angelito angie
        anita anna annabelle anne annette annie anthony antoine anton antonia antonio april ariana ariel arlene armando arnold
        arthur arturo ashlee ashleigh ashley ashton astrid athena audrey august augustin austin autumn ava bailey barbara barbie
        barney barry beatrice beatriz becky belinda bella ben benjamin bennett benny bernard bernardo bernie bertha beth bethany
        betty beverly bianca billy billybob blake bobby bonnie brad bradford bradley brady brandi brandon brandy brenda brendan
        brent brett brian briana brianna bridget brittany brittney brooke bruce bruno bryan bryant bryce buddy caleb calvin
        cameron camila camille candace candice carina carl carla carlito carlitos carlos carmen carol carole carolina caroline
        carolyn carrie carson carter casey cassandra cassidy cassie catalina catarina catherine cathy cecile cecilia cedric
        celeste celia cesar chad chandler chantal charlene charles charlie charlotte chelsea cheryl chester chiara chloe chris
        chrissy christa christian christiane christin christina christine christoph christophe christopher christy cindy claire
        clara clarence clarissa claude claudia claudio clayton clement clifford clinton clyde cody colin colleen collin connie
        connor conrad constance cooper corey corinne cory courtney craig cristian cristiano cristina crystal curtis cynthia
        daisy dakota dale dallas damian damien damon dan dana daniel daniela daniele daniella danielle danilo danny daphne
        darius darlene darrell darren darryl dave david davide davis dawn dean deanna debbie deborah debra declan delilah denise
        dennis denver derek derrick desiree desmond destiny devin devon diana diane diego dieter dimitri dmitriy dolores dominic
        dominick dominik dominique don donald donna donnie donovan dora doreen doris dorothy douglas duane duncan dustin dwayne
        dwight dylan earl eddie edgar edith eduardo edward edwin eileen elaine eleanor elena eleonora eli elias elijah elisa
        elisabeth elisabetta elise elizabeth elizaveta ella ellen ellie elliot elliott ellis elmer elsie elvira elvis emanuel
        emanuele emilia emiliano emilie emilio emily emma emmanuel enrique eric erica erick erik erika erin ernest ernesto ernie
        esmeralda esteban estelle esther ethan eugene eva evan evangeline eve evelyn evgeniy fabian fabiana fabiola fabrice
        fabrizio faith fatima federica federico felicia felicity felipe felix fernanda fernando fiona flora florence florian
        floyd frances francesca francesco francine francis francisca francisco franck francois frank frankie franklin fred
        freddie freddy frederic frederick frederik gabriel gabriela gabriele gabriella gabrielle gareth garrett gary gavin
        genevieve geoffrey george georgia georgie georgina gerald geraldine gerard gerardo gerhard gertrude giacomo gilbert
        gilberto gina ginger giorgia giorgio giovanna giovanni giulia giuliana giuseppe gladys glenn gloria gordon grace gracie
        graham grant greg gregor gregorio gregory greta gretchen griffin guadalupe guillaume guillermo gustavo guy hailey haley
        hannah hannes hans harley harold harriet harris harrison harry harvey hayden hayley heather hector heidi heinrich helen
        helena helene henri henrietta henrik henry herbert hermann hilary hillary holly homer hope horst houston howard hubert
        hudson hugo humberto hunter ian ibrahim ida ignacio igor ilaria imogen ingrid irene irina iris isaac isabel isabela
        isabella isabelle isaiah ismael israel ivan ivanka jack jackie jackson jacob jacqueline jacques jade jaime jake jamal
        james jamie jan jane janet janice janine jared jasmin jasmine jason jasper javier jay jayden jean jeanette jeanne
        jeannie jeff jefferson jeffrey jenna jennie jennifer jenny jeremiah jeremy jerome jerry jesse jessica jessie jesus jill
        jillian jim jimmy joan joanna joanne joaquin jocelyn jodie joel joey johan johann johanna johannes john johnathan johnny
        johnson jonas jonathan jordan jorge jose joseph josephine josh joshua josie joyce juan juanita judith judy julia julian
        juliana julianna julie juliet juliette julio julius june justin justine kaitlyn kamila kara karen karina karl karla
        katarina kate katelyn katerina katharina katherine kathleen kathryn kathy katie katrina kayla keith kelly kelsey ken
        kendra kenneth kenny kerry kevin kiara kimberley kimberly kirsten kirsty klaus kris krista kristen kristian kristie
        kristin kristina kristine kristopher krystal kurt kyle lance larissa larry laura lauren laurence laurent lauretta laurie
        lawrence leah leandro lee leila lena leo leon leonard leonardo leonie leopold leroy leslie lester leticia lewis liam
        lilian liliana lillian lily linda lindsay lindsey lionel lisa liz lizzie lloyd logan lola lorena lorenzo loretta lori
        lorraine louie louis louise luca lucas lucia luciana luciano lucie lucille lucinda lucy ludovic luis luisa lukas luke
        luther lydia lyudmila mackenzie macy maddie maddy madeleine madeline madison magdalena maggie mallory manfred manuel
        manuela marc marcel marcela marcelo marcia marco marcos marcus margaret margarita margot maria mariah mariana marianne
        mariano maribel marie mariela marilyn marina mario marion marisa marisol marissa marjorie mark markus marlene marlon
        marshall marta martha martin martina martinez marvin mary maryann maryjane marylou mateo mathias mathieu mathilde
        matilda matt matteo matthew matthias matthieu maureen maurice mauricio maverick max maxime maximilian maximus maxwell
        maya meagan megan melanie melinda melissa melody mercedes meredith mia micaela michael michaela michal micheal michel
        michele micheline michelle mickey miguel mike mikey mikhail milan mildred milena miles milton mindy miranda miriam
        mitchell mohamed mohammad mohammed moises mollie molly monica monika monique morgan morris moses muhammad muriel murphy
        murray myriam nadia nadine nancy naomi natalia natalie nataliya natasha nathalie nathan nathaniel neil nelson nicholas
        nick nicky nicola nicolas nicole nigel nikita nikki niklas nikolai nikolas nikolay nina noah noel noelle nora norbert
        norma norman olga oliver olivia olivier omar orlando oscar osvaldo otto owen pablo paige pamela paola paolo parker
        pascal patrice patricia patricio patrick patrik paul paula paulette paulina pauline paulo pavel pedro peggy penelope
        penny percy perry pete peter philip philipp philippe phillip phoebe phyllis pierre polina preston priscilla quentin
        quinn rachael rachel rachelle rafael rafaela raffaele ralph ramiro ramon ramona randall randy raphael raquel raul
        raymond rebecca regina reginald reinhard renata rene renee reuben rhonda ricardo riccardo richard richie ricky riley
        rita robbie robert roberta roberto robin robinson robyn rocco rochelle roderick rodney rodolfo rodrigo rodriguez roger
        roland rolando roman romeo ronald ronaldo ronnie rosa rosalie rosalind rosanna rosario rose rosemarie rosemary rosie
        ross roxana roxane roxanne roxy ruben ruby rudolf rudy rupert russell rusty ruth ryan sabine sabrina sadie salvador
        salvatore sam samantha sammy samson samuel samuele sandra sandrine sandro sandy santiago santos sara sarah sasha saskia
        savannah scarlett scott sean sebastian sebastien selena serena serenity serge sergei sergey sergio seth shane shannon
        shari sharon shaun shauna shawn sheila shelby sheldon shelley shelly sherri sherry shirley sidney siegfried sierra
        silvia simon simona simone simpson skylar sofia sonia sonja sophia sophie spencer stacey stacy stanislav stanley stefan
        stefania stefanie stefano stella stephan stephane stephanie stephen sterling steve steven stewart stuart summer susan
        susana susanna susanne suzanne suzie svetlana sydney sylvester sylvia sylvie tabitha tamara tammy tania tanner tanya
        tara tatiana tatyana taylor ted teddy terence teresa terrance terri terry tessa thaddeus theodor theodore theresa
        therese thierry thomas thompson tiffany tim timmy timothy tina tobias todd tom tommy toni tony tracey traci tracy travis
        trevor trinity tristan troy tyler tyrone tyson ulrich ursula valentin valentina valentine valeria valerie valeriya
        vanessa vera verena vernon veronica veronika veronique vicki vicky victor victoria viktor viktoria viktoriya vince
        vincent vincenzo viola violet violeta virginia virginie vitaliy vivian viviana viviane vladimir vladislav wallace walter
        wanda warren wayne wendell wendy werner wesley wilbur wilfred wilhelm william williams willie willis wilson winston
        wolfgang wyatt xander xavier yasmin yasmine yolanda yvette yvonne zachary zoe
        """

    /// Words of this product, which are the first guesses here.
    static let product = """
        apikey apiserver assistant chatgpt completion completions davinci gpt instruct languagemodel maxtokens model models
        openai playgroundapi preset presets prompt prompting prompts streaming temperature theplayground tokens upstream
        """
}
